//! The names and ids of the ledger.
//!
//! `FromStr` validates and is for the edge, where a string becomes a name once. Deserialisation does not
//! validate: what was recorded is a fact, also when a later rule would refuse it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use recount_core::NameError;

macro_rules! text_name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
text_name! {
    /// A hold's id, unique in its ledger. Chosen by the client, or made by the service.
    HoldId
}
text_name! {
    /// A customer's id, unique in its ledger and chosen by the client. It stays in the log for ever, so it shall say
    /// nothing about the person.
    CustomerId
}
text_name! {
    /// Account names by their form: like an account name, but a segment may be `*`, which stands for any one segment,
    /// and the last may be `**`, which stands for one or more: `users:*:main`, `Assets:**`.
    AccountPattern
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

macro_rules! id_rule {
    ($name:ident, $what:literal) => {
        impl FromStr for $name {
            type Err = NameError;

            fn from_str(id: &str) -> Result<$name, NameError> {
                if is_id(id) { Ok($name(id.into())) } else { Err(NameError::new(id, $what, ID_RULE)) }
            }
        }
    };
}

id_rule!(TransactionId, "a transaction id");
id_rule!(HoldId, "a hold id");
id_rule!(CustomerId, "a customer id");

const ID_RULE: &str = "it takes 1 to 64 letters, digits, `-`, `_`, `.` and `:`, and is neither `.` nor `..`";

fn is_id(id: &str) -> bool {
    // As a segment of a path these two are not names but directions, and whatever normalises the path follows them.
    let is_direction = matches!(id, "." | "..");
    !is_direction
        && (1..=64).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':'))
}

impl AccountPattern {
    const ANY_SEGMENT: &str = "*";
    const ANY_SEGMENTS: &str = "**";
    const RULE: &str = "it takes the segments of an account name joined by `:`; any of them may be `*`, for one segment \
                        whatever it is, and the last may be `**`, for one or more";

    /// Whether it stands for one account alone, the one of the same name.
    pub fn is_name(&self) -> bool {
        !self.0.contains('*')
    }

    /// Whether the account's name has this form.
    pub fn matches(&self, account: &AccountName) -> bool {
        let mut segments = account.as_str().split(':');
        for pattern in self.0.split(':') {
            let Some(segment) = segments.next() else { return false };
            match pattern {
                AccountPattern::ANY_SEGMENTS => return true,
                AccountPattern::ANY_SEGMENT => {}
                literal if literal == segment => {}
                _ => return false,
            }
        }
        segments.next().is_none()
    }
}

impl FromStr for AccountPattern {
    type Err = NameError;

    fn from_str(pattern: &str) -> Result<AccountPattern, NameError> {
        let segments: Vec<&str> = pattern.split(':').collect();
        let (last, others) = segments.split_last().unwrap_or((&"", &[]));
        let is_segment =
            |segment: &str| segment == AccountPattern::ANY_SEGMENT || is_account_segment(segment);
        let ok = pattern.len() <= AccountName::LEN_MAX
            && segments.len() <= AccountName::SEGMENTS_MAX
            && others.iter().all(|segment| is_segment(segment))
            && (*last == AccountPattern::ANY_SEGMENTS || is_segment(last));
        if ok {
            Ok(AccountPattern(pattern.into()))
        } else {
            Err(NameError::new(pattern, "an account pattern", AccountPattern::RULE))
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
        let (deepest, longest) = (vec!["a"; 16].join(":"), "x".repeat(255));
        for good in [deepest.as_str(), &longest, "0", "Ä1", "R&D (UK) + 'x', #1 @a_b-c."] {
            assert_eq!(good.parse::<AccountName>().unwrap().to_string(), good);
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
        let longest = format!("{}/18", "A".repeat(31));
        for (good, code, scale) in
            [("BTC/0", "BTC", 0), ("x-Y_z.1/8", "x-Y_z.1", 8), (longest.as_str(), &longest[..31], 18)]
        {
            let asset: Asset = good.parse().unwrap();
            assert_eq!((asset.as_str(), asset.code(), asset.scale()), (good, code, scale));
        }
        assert!(format!("{}/2", "A".repeat(32)).parse::<Asset>().is_err());
        // What was recorded is read, whatever the rule is.
        let odd = Asset::from_stored("ODD");
        assert_eq!((odd.code(), odd.scale()), ("ODD", 0));
        for bad in ["USD", "USD/", "/2", "USD/19", "USD/02", "USD/-1", "USD/2/2", "U D/2", "2USD/2", "USD/+2"]
        {
            assert!(bad.parse::<Asset>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn ids_share_a_rule() {
        let long = "x".repeat(64);
        for good in ["a", "order-1001", "0193:b_c.d", "...", ".a", &long] {
            assert_eq!(good.parse::<TransactionId>().unwrap().as_str(), good);
            assert_eq!(good.parse::<HoldId>().unwrap().as_str(), good);
            assert_eq!(good.parse::<CustomerId>().unwrap().as_str(), good);
        }
        let too_long = "x".repeat(65);
        for bad in ["", "a b", "a/b", "ä", ".", "..", &too_long] {
            assert!(bad.parse::<TransactionId>().is_err(), "{bad:?}");
            assert!(bad.parse::<HoldId>().is_err(), "{bad:?}");
            assert!(bad.parse::<CustomerId>().is_err(), "{bad:?}");
        }
        assert!("a b".parse::<HoldId>().unwrap_err().to_string().contains("a hold id"));
        // What was recorded is read, whatever the rule is.
        assert_eq!(serde_json::from_str::<HoldId>(r#"".""#).unwrap(), HoldId::from_stored("."));
    }

    #[test]
    fn a_reference_follows_its_rule() {
        let long = "x".repeat(255);
        for good in ["a", "Invoice 2026/17 – Köln", &long] {
            assert_eq!(good.parse::<Reference>().unwrap().as_str(), good);
        }
        for bad in ["", " a", "a ", "a\nb", &"x".repeat(256)] {
            assert!(bad.parse::<Reference>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_pattern_stands_for_the_names_of_its_form() {
        for (pattern, matching, others) in [
            ("bank", &["bank"][..], &["banks", "bank:main", "Bank"][..]),
            ("users:*", &["users:alice", "users:bob"], &["users", "users:alice:main", "user:alice"]),
            (
                "users:*:main",
                &["users:alice:main"],
                &["users:alice", "users:alice:main:eur", "users:a:b:main"],
            ),
            ("Assets:**", &["Assets:US", "Assets:US:BofA"], &["Assets", "Income:US"]),
            ("*:**", &["a:b", "a:b:c"], &["a"]),
            ("**", &["a", "a:b:c"], &[]),
        ] {
            let pattern: AccountPattern = pattern.parse().unwrap();
            for name in matching {
                assert!(pattern.matches(&name.parse().unwrap()), "{pattern} stands for {name}");
            }
            for name in others {
                assert!(!pattern.matches(&name.parse().unwrap()), "{pattern} does not stand for {name}");
            }
        }
    }

    #[test]
    fn a_pattern_follows_its_rule() {
        let deep = vec!["*"; 17].join(":");
        for bad in ["", ":", "a:", "**:a", "a:**:b", "a*", "***", "a::b", " *", &deep, &"x".repeat(256)] {
            assert!(bad.parse::<AccountPattern>().is_err(), "{bad:?}");
        }
        let (deepest, longest) = (vec!["*"; 16].join(":"), "x".repeat(255));
        for good in [deepest.as_str(), &longest] {
            assert_eq!(good.parse::<AccountPattern>().unwrap().as_str(), good);
        }
    }
}
