//! The advisory locks of a database that Recount uses. They share one space of numbers, so they are all here.
//! Migrations of the store have one more, which the driver derives from the name of the database.

/// Spells "recount" in seven bytes; the last byte numbers the locks.
const BASE: i64 = 0x7265_636f_756e_7400;

/// Creating, swapping and dropping builds of read models.
pub const PROJECTION_BUILDS: i64 = BASE + 1;
/// Creating and changing the schema of API keys, and creating the first key.
pub const IDENTITY: i64 = BASE + 2;

/// Every lock, for the test that no two are the same.
#[cfg(test)]
const ALL: [i64; 2] = [IDENTITY, PROJECTION_BUILDS];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::ALL;

    #[test]
    fn no_two_locks_have_the_same_number() {
        assert_eq!(BTreeSet::from(ALL).len(), ALL.len());
    }
}
