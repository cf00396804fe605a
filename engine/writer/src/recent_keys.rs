//! The idempotency keys that a writer has met lately.

use recount_store::KeyHash;

use crate::filter_memory::FilterMemory;
use crate::growing_filter::GrowingFilter;

/// Keys that are remembered for sure; up to twice as many are. At three bytes each, so few that they have memory of their
/// own.
const KEYS_MAX: usize = 1 << 16;
const MEMORY: usize = 1 << 20;

/// Keys that are looked up after a key that seemed new turned out to be taken, and at a start. Repeats come together: a
/// process has ended and left its callers without an answer, or somebody sends a file again.
const KEYS_IN_DOUBT: u32 = 1_000;

/// Tells which keys are worth a look-up before their commands are decided.
///
/// It is a hint. Whether a key has an outcome is decided by the store's primary key, in the transaction that appends: if one
/// key of a batch has an outcome, nothing of the batch is written ([`Appended::KeyTaken`](recount_store::Appended)), and
/// the batch is decided again after all its keys were looked up. So a key that is wrongly taken for new costs a statement
/// and never a second execution, whichever process recorded the outcome and however long ago. It holds for rejections
/// too, which append their outcome with no event. It does not hold for dry runs, which append nothing: their keys are
/// always looked up.
#[derive(Debug)]
pub(crate) struct RecentKeys {
    newest: GrowingFilter,
    older: GrowingFilter,
    in_doubt: u32,
}

impl RecentKeys {
    pub(crate) fn new() -> RecentKeys {
        let memory = FilterMemory::new(MEMORY);
        let (newest, older) = (GrowingFilter::new(&memory), GrowingFilter::new(&memory));
        RecentKeys { newest, older, in_doubt: KEYS_IN_DOUBT }
    }

    /// Notes a key that has an outcome now.
    pub(crate) fn insert(&mut self, key: KeyHash) {
        if self.newest.items() >= KEYS_MAX || !self.newest.insert(bits(key)) {
            let fresh = GrowingFilter::new(self.newest.memory());
            self.older = std::mem::replace(&mut self.newest, fresh);
            let _ = self.newest.insert(bits(key));
        }
    }

    /// Whether this key is to be looked up.
    pub(crate) fn may_be_taken(&mut self, key: KeyHash) -> bool {
        let in_doubt = self.in_doubt > 0;
        self.in_doubt = self.in_doubt.saturating_sub(1);
        in_doubt || self.newest.may_contain(bits(key)) || self.older.may_contain(bits(key))
    }

    /// A key that seemed new is taken: the next ones may be as well.
    pub(crate) fn doubt(&mut self) {
        self.in_doubt = KEYS_IN_DOUBT;
    }

    /// A look-up has found outcomes. While keys are in doubt, they stay so for longer.
    pub(crate) fn found(&mut self) {
        if self.in_doubt > 0 {
            self.doubt();
        }
    }
}

fn bits(key: KeyHash) -> i64 {
    let (high, _) = key.0.as_u64_pair();
    high.cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn key(n: u64) -> KeyHash {
        KeyHash(Uuid::from_u64_pair(n, 0))
    }

    #[test]
    fn keys_are_looked_up_at_the_start_and_then_those_that_are_remembered() {
        let mut keys = RecentKeys::new();
        assert!((0..u64::from(KEYS_IN_DOUBT)).all(|n| keys.may_be_taken(key(n))));
        assert!(!keys.may_be_taken(key(1)));
        keys.insert(key(1));
        assert!(keys.may_be_taken(key(1)));
        assert!(!keys.may_be_taken(key(2)));
    }

    #[test]
    fn keys_stay_in_doubt_while_repeats_are_found() {
        let mut keys = RecentKeys::new();
        (0..u64::from(KEYS_IN_DOUBT)).for_each(|n| assert!(keys.may_be_taken(key(n))));
        keys.found();
        assert!(!keys.may_be_taken(key(1)), "a repeat that was remembered says nothing about others");
        keys.doubt();
        assert!(keys.may_be_taken(key(1)));
        keys.found();
        assert!((0..u64::from(KEYS_IN_DOUBT)).all(|n| keys.may_be_taken(key(n))));
        assert!(!keys.may_be_taken(key(1)));
    }

    #[test]
    fn the_newest_keys_are_remembered_in_bounded_memory() {
        let mut keys = RecentKeys::new();
        (0..1_000_000).for_each(|n| keys.insert(key(n)));
        assert!((1_000_000 - KEYS_MAX as u64..1_000_000).all(|n| keys.may_be_taken(key(n))));
        keys.in_doubt = 0;
        let remembered = (0..800_000).filter(|n| keys.may_be_taken(key(*n))).count();
        assert!(remembered < 100, "{remembered} old keys");
    }
}
