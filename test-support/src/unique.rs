//! Names that no other test uses, neither in this run nor in another one on the same servers.

use std::hash::{BuildHasher, RandomState};

/// Lower-case letters and digits after the prefix, fit for a database, a topic or a ledger.
pub fn unique_name(prefix: &str) -> String {
    // The standard library seeds each `RandomState` differently.
    let number = RandomState::new().hash_one(std::process::id());
    format!("{prefix}{number:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_names_are_the_same() {
        assert_ne!(unique_name("a"), unique_name("a"));
    }
}
