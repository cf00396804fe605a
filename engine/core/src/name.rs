//! The name of a log, and the error of every name that breaks its rule.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::event::LogKey;

/// A name that breaks the rule of its kind. Its text is a sentence for the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not {what}: {rule}")]
pub struct NameError {
    /// The rejected name, shortened if it is long.
    pub name: String,
    /// The kind of name, with its article: "a log name".
    pub what: &'static str,
    /// The rule, as a clause.
    pub rule: &'static str,
}

impl NameError {
    /// The error for `name`, which breaks `rule` of the names that are `what`.
    pub fn new(name: &str, what: &'static str, rule: &'static str) -> NameError {
        const SHOWN_CHARS_MAX: usize = 80;
        let mut shown: String = name.chars().take(SHOWN_CHARS_MAX).collect();
        if shown.len() < name.len() {
            shown.push('…');
        }
        NameError { name: shown, what, rule }
    }
}

/// The name of a log: 1 to 63 ASCII letters, digits, `-`, `_` and `.`, the first a letter or a digit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LogName(Arc<str>);

impl LogName {
    const LEN_MAX: usize = 63;

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The log's key in the store.
    pub fn key(&self) -> LogKey {
        let digest = Sha256::digest(self.0.as_bytes());
        let mut first = [0u8; 8];
        first.copy_from_slice(&digest[..8]);
        LogKey(i64::from_be_bytes(first) & i64::MAX)
    }
}

impl FromStr for LogName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<LogName, NameError> {
        let ok = (1..=LogName::LEN_MAX).contains(&name.len())
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        if ok {
            Ok(LogName(name.into()))
        } else {
            Err(NameError::new(
                name,
                "a log name",
                "it takes 1 to 63 letters, digits, `-`, `_` and `.`, and starts with a letter or a digit",
            ))
        }
    }
}

impl fmt::Display for LogName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_name_follows_its_rule() {
        for good in ["main", "a", "EU-2026_book.1", &"x".repeat(63)] {
            let name: LogName = good.parse().unwrap();
            assert_eq!((name.as_str(), name.to_string().as_str()), (good, good));
        }
        for bad in ["", "-main", ".", "two words", "a/b", "ä", &"x".repeat(64)] {
            assert!(bad.parse::<LogName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_key_of_a_log_is_part_of_the_contract_and_never_changes() {
        // SHA-256("main") starts with 0d6e4079…: printed by `printf main | sha256sum`.
        let expected = i64::from_str_radix("0d6e4079", 16).unwrap();
        assert_eq!("main".parse::<LogName>().unwrap().key().0 >> 32, expected);
        // SHA-256("acme") starts with 822b33ad…: the key leaves out the first bit.
        let expected = i64::from_str_radix("022b33ad", 16).unwrap();
        assert_eq!("acme".parse::<LogName>().unwrap().key().0 >> 32, expected);
    }

    #[test]
    fn a_name_that_is_refused_is_shown_shortened() {
        let error = "?".parse::<LogName>().unwrap_err().to_string();
        assert_eq!(
            error,
            "`?` is not a log name: it takes 1 to 63 letters, digits, `-`, `_` and `.`, and starts with a letter or a \
             digit"
        );
        let shown = |len: usize| "ä".repeat(len).parse::<LogName>().unwrap_err().name;
        assert_eq!(shown(80), "ä".repeat(80));
        assert_eq!(shown(81), format!("{}…", "ä".repeat(80)));
    }
}
