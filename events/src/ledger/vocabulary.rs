//! The words of the ledger: names, assets, amounts, kinds.
//!
//! `FromStr` validates and is for the edge, where a string becomes a name once. Deserialisation does not
//! validate: what was recorded is a fact, also when a later rule would refuse it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::names::NameError;

macro_rules! text_name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// A name as it was stored, not validated.
            pub fn from_stored(name: &str) -> $name {
                $name(name.into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_name! {
    /// A hierarchical account name: 1 to 16 segments joined by `:`, at most 255 bytes, such as
    /// `Assets:US:Checking` or `users:alice:main`.
    AccountName
}
text_name! {
    /// An asset with its scale, `CODE/SCALE`: `USD/2` is counted in cents, `BTC/8` in satoshi.
    Asset
}
text_name! {
    /// A transaction's id, unique in its ledger. Chosen by the client, or made by the service.
    TransactionId
}
text_name! {
    /// A reference to something outside (an order, an invoice), unique in its ledger.
    Reference
}

impl AccountName {
    const LEN_MAX: usize = 255;
    const SEGMENTS_MAX: usize = 16;
    const RULE: &str = "it takes 1 to 16 segments joined by `:`, 255 bytes at most; a segment holds letters, digits, \
                        single spaces and any of -_.,&'+()/#@, and starts with a letter or a digit";
}

impl FromStr for AccountName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<AccountName, NameError> {
        let ok = name.len() <= AccountName::LEN_MAX
            && name.split(':').count() <= AccountName::SEGMENTS_MAX
            && name.split(':').all(is_account_segment);
        if ok {
            Ok(AccountName(name.into()))
        } else {
            Err(NameError::new(name, "an account name", AccountName::RULE))
        }
    }
}

fn is_account_segment(segment: &str) -> bool {
    segment.starts_with(char::is_alphanumeric)
        && !segment.ends_with(' ')
        && !segment.contains("  ")
        && segment.chars().all(|c| c.is_alphanumeric() || " -_.,&'+()/#@".contains(c))
}

impl Asset {
    const CODE_LEN_MAX: usize = 31;
    /// More decimals than any currency has, few enough that a whole unit stays far from the end of `i128`.
    pub const SCALE_MAX: u8 = 18;

    /// The part before the slash: `USD` of `USD/2`.
    pub fn code(&self) -> &str {
        self.0.split_once('/').map_or(&*self.0, |(code, _)| code)
    }

    /// The number of decimals: 2 of `USD/2`.
    pub fn scale(&self) -> u8 {
        self.0.split_once('/').and_then(|(_, scale)| scale.parse().ok()).unwrap_or(0)
    }
}

impl FromStr for Asset {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Asset, NameError> {
        let ok = name.split_once('/').is_some_and(|(code, scale)| {
            (1..=Asset::CODE_LEN_MAX).contains(&code.len())
                && code.starts_with(|c: char| c.is_ascii_alphabetic())
                && code.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
                && scale.parse::<u8>().is_ok_and(|n| n <= Asset::SCALE_MAX && n.to_string() == scale)
        });
        if ok {
            Ok(Asset(name.into()))
        } else {
            Err(NameError::new(
                name,
                "an asset",
                "it is written CODE/SCALE, as in USD/2: a letter, then up to 30 letters, digits, `_`, `-` and `.`, a \
                 slash, and the number of decimals from 0 to 18",
            ))
        }
    }
}

impl FromStr for TransactionId {
    type Err = NameError;

    fn from_str(id: &str) -> Result<TransactionId, NameError> {
        let ok = (1..=64).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':'));
        if ok {
            Ok(TransactionId(id.into()))
        } else {
            Err(NameError::new(
                id,
                "a transaction id",
                "it takes 1 to 64 letters, digits, `-`, `_`, `.` and `:`",
            ))
        }
    }
}

impl FromStr for Reference {
    type Err = NameError;

    fn from_str(reference: &str) -> Result<Reference, NameError> {
        let ok = (1..=255).contains(&reference.len())
            && reference.trim() == reference
            && !reference.chars().any(char::is_control);
        if ok {
            Ok(Reference(reference.into()))
        } else {
            Err(NameError::new(
                reference,
                "a reference",
                "it takes 1 to 255 bytes of text without control characters, and no space at either end",
            ))
        }
    }
}

/// A positive number of minor units. `12345` of `USD/2` is 123.45 dollars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Amount(i128);

/// Why a text is not an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    #[error("an amount is a string of digits, in whole minor units: 12.34 in USD/2 is written \"1234\"")]
    NotWhole,
    #[error("an amount is more than zero; the direction of an entry gives it its sign")]
    NotPositive,
    #[error("an amount is at most {} minor units", i128::MAX)]
    TooLarge,
}

impl Amount {
    /// The amount, if `minor_units` is more than zero.
    pub fn new(minor_units: i128) -> Result<Amount, AmountError> {
        if minor_units > 0 { Ok(Amount(minor_units)) } else { Err(AmountError::NotPositive) }
    }

    /// In minor units; always more than zero.
    pub fn minor_units(self) -> i128 {
        self.0
    }
}

impl FromStr for Amount {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Amount, AmountError> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(AmountError::NotWhole);
        }
        if negative {
            return Err(AmountError::NotPositive);
        }
        Amount::new(digits.parse().map_err(|_| AmountError::TooLarge)?)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Amount, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map(Amount).map_err(serde::de::Error::custom)
    }
}

/// What an account is, which gives it its normal side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccountKind {
    Asset,
    Liability,
    Equity,
    Income,
    Expense,
}

impl AccountKind {
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
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

/// Which entries a freeze stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
pub struct OverdraftLimit {
    pub asset: Asset,
    pub amount: Amount,
}

/// Free JSON of the client's. Its members are kept in the order of their names.
pub type Metadata = serde_json::Map<String, serde_json::Value>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_name_follows_its_rule() {
        for good in
            ["a", "users:alice:main", "Assets:US:BofA:Checking", "Aktiva:Bank für Sozialwirtschaft", "a:b/c"]
        {
            assert_eq!(good.parse::<AccountName>().unwrap().as_str(), good);
        }
        let deep = vec!["a"; 17].join(":");
        for bad in
            ["", ":", "a:", ":a", "a::b", " a", "a ", "a  b", "a\nb", "-a", "a;b", &deep, &"x".repeat(256)]
        {
            assert!(bad.parse::<AccountName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_asset_is_a_code_and_a_scale() {
        let asset: Asset = "USD/2".parse().unwrap();
        assert_eq!((asset.code(), asset.scale()), ("USD", 2));
        for bad in ["USD", "USD/", "/2", "USD/19", "USD/02", "USD/-1", "USD/2/2", "U D/2", "2USD/2", "USD/+2"]
        {
            assert!(bad.parse::<Asset>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_amount_is_positive_whole_and_fits() {
        assert_eq!("1".parse::<Amount>().unwrap().minor_units(), 1);
        assert_eq!(i128::MAX.to_string().parse::<Amount>().unwrap().minor_units(), i128::MAX);
        for (text, error) in [
            ("0", AmountError::NotPositive),
            ("-5", AmountError::NotPositive),
            ("1.5", AmountError::NotWhole),
            ("1e3", AmountError::NotWhole),
            ("+1", AmountError::NotWhole),
            ("", AmountError::NotWhole),
            ("-", AmountError::NotWhole),
            (" 1", AmountError::NotWhole),
            ("170141183460469231731687303715884105728", AmountError::TooLarge),
        ] {
            assert_eq!(text.parse::<Amount>(), Err(error), "{text:?}");
        }
    }
}
