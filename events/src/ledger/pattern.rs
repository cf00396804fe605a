//! Patterns of account names.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::names::{AccountName, is_account_segment, text_name};
use recount_core::NameError;

text_name! {
    /// A pattern of account names. A segment `*` matches any one segment, and a last segment `**` matches one or more:
    /// `users:*:main`, `Assets:**`.
    AccountPattern
}

impl AccountPattern {
    const ANY_SEGMENT: &str = "*";
    const ANY_SEGMENTS: &str = "**";
    const RULE: &str = "it must have the form of an account name, in which any segment may be `*`, for exactly one \
                        segment, and the last may be `**`, for one or more";

    /// Whether the pattern has no wildcards, and so matches one account only.
    pub fn is_name(&self) -> bool {
        !self.0.contains('*')
    }

    /// Whether the pattern matches the account's name.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_names() {
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
                assert!(pattern.matches(&name.parse().unwrap()), "{pattern} matches {name}");
            }
            for name in others {
                assert!(!pattern.matches(&name.parse().unwrap()), "{pattern} does not match {name}");
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
