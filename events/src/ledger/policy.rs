//! What an account is and what it may do: kinds, sides, freezes, limits, and the chart of accounts.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::amount::{Amount, Bound};
use super::names::{AccountPattern, Asset};

/// What an account is, which gives it its normal side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum AccountKind {
    Asset,
    Liability,
    Equity,
    Income,
    Expense,
}

impl AccountKind {
    pub const ALL: [AccountKind; 5] = [
        AccountKind::Asset,
        AccountKind::Liability,
        AccountKind::Equity,
        AccountKind::Income,
        AccountKind::Expense,
    ];

    /// The kind of this name, as [`as_str`](AccountKind::as_str) gives it.
    pub fn named(name: &str) -> Option<AccountKind> {
        AccountKind::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The side on which the account grows.
    pub fn normal_side(self) -> Direction {
        match self {
            AccountKind::Asset | AccountKind::Expense => Direction::Debit,
            AccountKind::Liability | AccountKind::Equity | AccountKind::Income => Direction::Credit,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            AccountKind::Asset => "asset",
            AccountKind::Liability => "liability",
            AccountKind::Equity => "equity",
            AccountKind::Income => "income",
            AccountKind::Expense => "expense",
        }
    }
}

/// The side of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    Debit,
    Credit,
}

impl Direction {
    pub fn opposite(self) -> Direction {
        match self {
            Direction::Debit => Direction::Credit,
            Direction::Credit => Direction::Debit,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Direction::Debit => "debit",
            Direction::Credit => "credit",
        }
    }
}

impl fmt::Display for AccountKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which entries a freeze stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum FreezeScope {
    Debits,
    Credits,
    Both,
}

impl FreezeScope {
    pub fn covers(self, direction: Direction) -> bool {
        match self {
            FreezeScope::Debits => direction == Direction::Debit,
            FreezeScope::Credits => direction == Direction::Credit,
            FreezeScope::Both => true,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            FreezeScope::Debits => "debits",
            FreezeScope::Credits => "credits",
            FreezeScope::Both => "both",
        }
    }
}

/// How far below zero, on its normal side, an account's balance may go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Overdraft {
    /// Not at all.
    #[default]
    None,
    /// Down to a limit in each of the assets named; not at all in any other.
    Limited(Vec<OverdraftLimit>),
    /// Without limit.
    Unlimited,
}

/// The overdraft that an account has in one asset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OverdraftLimit {
    pub asset: Asset,
    pub amount: Amount,
}

/// The bounds of an account's balance in one asset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BalanceLimit {
    pub asset: Asset,
    /// What must stay available, whatever overdraft the account has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<Bound>,
    /// The most that may be posted, with what open holds would bring in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<Bound>,
}

/// One line of a chart of accounts: which names an account may have, and what it is then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChartRule {
    pub pattern: AccountPattern,
    /// What an account of such a name is.
    pub kind: AccountKind,
    /// The overdraft that it gets, unless the command that opens it says otherwise.
    pub overdraft: Overdraft,
    /// The limits that it gets, unless the command that opens it says otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<BalanceLimit>,
    /// The assets that it may hold; any, if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assets: Vec<Asset>,
    /// Whether it is opened by the first transaction or hold that names it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub opens_on_first_use: bool,
}

/// How far from the time of recording an effective time may be. `None` is without limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EffectiveWindow {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub past_days: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub future_days: Option<u32>,
}

/// Free JSON of the client's. Its members are kept in the order of their names.
pub type Metadata = serde_json::Map<String, serde_json::Value>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_equation_has_on_its_left_grows_by_debits() {
        let growing_by_debits: Vec<AccountKind> =
            AccountKind::ALL.into_iter().filter(|kind| kind.normal_side() == Direction::Debit).collect();
        assert_eq!(growing_by_debits, [AccountKind::Asset, AccountKind::Expense]);
    }

    #[test]
    fn a_freeze_covers_its_sides() {
        let covers =
            |scope: FreezeScope| [Direction::Debit, Direction::Credit].map(|side| scope.covers(side));
        assert_eq!(covers(FreezeScope::Debits), [true, false]);
        assert_eq!(covers(FreezeScope::Credits), [false, true]);
        assert_eq!(covers(FreezeScope::Both), [true, true]);
    }

    #[test]
    fn the_sides_are_opposite() {
        assert_eq!(Direction::Debit.opposite(), Direction::Credit);
        assert_eq!(Direction::Credit.opposite(), Direction::Debit);
    }

    /// What is shown, and what the query side keeps, is spelt as in the stored events.
    #[test]
    fn the_words_are_those_of_the_stored_events() {
        let stored = |word: serde_json::Result<serde_json::Value>| word.unwrap().as_str().unwrap().to_owned();
        for kind in AccountKind::ALL {
            assert_eq!(stored(serde_json::to_value(kind)), kind.as_str());
            assert_eq!(kind.to_string(), kind.as_str());
        }
        for direction in [Direction::Debit, Direction::Credit] {
            assert_eq!(stored(serde_json::to_value(direction)), direction.as_str());
            assert_eq!(direction.to_string(), direction.as_str());
        }
        for scope in [FreezeScope::Debits, FreezeScope::Credits, FreezeScope::Both] {
            assert_eq!(stored(serde_json::to_value(scope)), scope.as_str());
        }
    }
}
