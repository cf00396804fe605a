//! The only place that reads the clock. All other code takes the time as an argument.

use chrono::{DateTime, SubsecRound, Utc};

/// The current time, truncated to microseconds: Postgres stores no more, so a time reads back as it was written.
#[expect(clippy::disallowed_methods, reason = "this is the clock that other code uses")]
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_has_whole_microseconds() {
        assert_eq!(now().timestamp_subsec_nanos() % 1_000, 0);
    }
}
