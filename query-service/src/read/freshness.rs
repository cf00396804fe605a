//! How fresh an answer has to be: the position that it must at least reflect, and how long to wait for it.

use std::time::Duration;

const WAIT_SECONDS_DEFAULT: u64 = 5;
const WAIT_SECONDS_MAX: u64 = 60;

/// How fresh an answer has to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Freshness {
    at_least: Option<i64>,
    wait_seconds: Option<u64>,
}

impl Freshness {
    /// The answer reflects this position or a later one, or the current one if none is given. A wait beyond the maximum
    /// is shortened to it.
    pub(crate) fn new(at_least: Option<i64>, wait_seconds: Option<u64>) -> Freshness {
        Freshness { at_least, wait_seconds: wait_seconds.map(|seconds| seconds.min(WAIT_SECONDS_MAX)) }
    }

    /// The position to wait for; 0 if the current one will do.
    pub(crate) fn at_least(self) -> i64 {
        self.at_least.unwrap_or(0)
    }

    /// How long to wait for the position.
    pub(crate) fn timeout(self) -> Duration {
        Duration::from_secs(self.wait_seconds.unwrap_or(WAIT_SECONDS_DEFAULT))
    }

    /// The wait that was asked for, if it applies: without a position there is nothing to wait for.
    pub(crate) fn applied_wait_seconds(self) -> Option<u64> {
        self.at_least.and(self.wait_seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_default_the_current_position_is_fresh_enough() {
        let freshness = Freshness::default();
        assert_eq!((freshness.at_least(), freshness.applied_wait_seconds()), (0, None));
    }

    #[test]
    fn a_wait_without_a_position_does_not_apply() {
        assert_eq!(Freshness::new(None, Some(3)).applied_wait_seconds(), None);
    }

    #[test]
    fn a_wait_is_limited_to_a_minute_and_lasts_five_seconds_by_default() {
        let long = Freshness::new(Some(7), Some(900));
        assert_eq!((long.timeout().as_secs(), long.applied_wait_seconds()), (60, Some(60)));
        let default = Freshness::new(Some(7), None);
        assert_eq!((default.timeout().as_secs(), default.applied_wait_seconds()), (5, None));
    }
}
