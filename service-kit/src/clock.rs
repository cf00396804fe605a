//! The one place that reads the clock. Everything else is told the time.

use chrono::{DateTime, SubsecRound, Utc};

/// The time, cut to microseconds: what Postgres keeps, so that a time reads back as it was written.
#[expect(clippy::disallowed_methods, reason = "this is the clock that the others ask")]
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
