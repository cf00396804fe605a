//! The rules of accounts: kinds, directions, freezes, overdrafts, limits, and the chart of accounts.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::amount::{Amount, LimitAmount};
use super::names::Asset;
use super::pattern::AccountPattern;

/// The kind of an account, which determines its normal side.
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

    /// The side that increases the balance of the account.
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

/// The side of an entry: debit or credit.
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

/// The entries that a freeze rejects.
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

/// How far an account's available balance may fall below zero, on its normal side.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Overdraft {
    /// No overdraft.
    #[default]
    None,
    /// Down to a limit in each asset listed, with no overdraft in any other asset.
    Limited(Vec<OverdraftLimit>),
    /// An overdraft without a limit.
    Unlimited,
}

/// An account's overdraft limit in one asset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OverdraftLimit {
    pub asset: Asset,
    pub amount: Amount,
}

/// The limits of an account's balance in one asset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BalanceLimit {
    pub asset: Asset,
    /// The least available balance. It applies even if the account has an overdraft.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<LimitAmount>,
    /// The greatest posted balance, including the amounts that open holds would bring in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<LimitAmount>,
}

/// One rule of a chart of accounts: a pattern of account names, and the terms of the accounts that match it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChartRule {
    pub pattern: AccountPattern,
    /// The kind of the accounts that match.
    pub kind: AccountKind,
    /// The default overdraft of a new account.
    pub overdraft: Overdraft,
    /// The default limits of a new account.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<BalanceLimit>,
    /// The assets that the accounts may hold. If empty, they may hold any asset.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assets: Vec<Asset>,
    /// Whether the first transaction or hold that uses an account opens it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub opens_on_first_use: bool,
}

/// How many days before and after the time of recording an effective time may lie. An absent side has no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EffectiveWindow {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub past_days: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub future_days: Option<u32>,
}

/// Client-defined JSON. Its members are stored in the order of their names.
pub type Metadata = serde_json::Map<String, serde_json::Value>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debits_increase_assets_and_expenses() {
        let increased_by_debits: Vec<AccountKind> =
            AccountKind::ALL.into_iter().filter(|kind| kind.normal_side() == Direction::Debit).collect();
        assert_eq!(increased_by_debits, [AccountKind::Asset, AccountKind::Expense]);
    }

    #[test]
    fn a_freeze_covers_the_directions_of_its_scope() {
        let covers =
            |scope: FreezeScope| [Direction::Debit, Direction::Credit].map(|side| scope.covers(side));
        assert_eq!(covers(FreezeScope::Debits), [true, false]);
        assert_eq!(covers(FreezeScope::Credits), [false, true]);
        assert_eq!(covers(FreezeScope::Both), [true, true]);
    }

    #[test]
    fn debit_and_credit_are_opposites() {
        assert_eq!(Direction::Debit.opposite(), Direction::Credit);
        assert_eq!(Direction::Credit.opposite(), Direction::Debit);
    }

    /// Answers and read models spell these values as the stored events do.
    #[test]
    fn values_are_displayed_as_they_are_stored() {
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
