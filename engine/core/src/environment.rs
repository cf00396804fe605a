//! Time and ids, which the program that starts the engine provides.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, SubsecRound, Utc};
use uuid::Uuid;

/// The clock and the source of ids that an engine works with. Cheap to clone.
///
/// The engine never reads a clock by itself, so a test can give it any time and any ids:
///
/// ```
/// use chrono::{DateTime, Utc};
/// use recount_core::Environment;
/// use uuid::Uuid;
///
/// let noon: DateTime<Utc> = "2026-01-01T12:00:00Z".parse()?;
/// let environment = Environment::new(move || noon, Uuid::nil);
/// assert_eq!(environment.now(), noon);
/// # Ok::<(), chrono::ParseError>(())
/// ```
///
/// A service passes the real ones.
#[derive(Clone)]
pub struct Environment {
    now: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    new_id: Arc<dyn Fn() -> Uuid + Send + Sync>,
}

impl Environment {
    pub fn new(
        now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static,
        new_id: impl Fn() -> Uuid + Send + Sync + 'static,
    ) -> Environment {
        Environment { now: Arc::new(now), new_id: Arc::new(new_id) }
    }

    /// The time, cut to microseconds: Postgres keeps no more, and a time has to read back as it was written.
    pub fn now(&self) -> DateTime<Utc> {
        (self.now)().trunc_subsecs(6)
    }

    /// An id that no other call returns.
    pub fn new_id(&self) -> Uuid {
        (self.new_id)()
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_has_whole_microseconds() {
        let precise = DateTime::from_timestamp(1_700_000_000, 123_456_789).unwrap();
        let environment = Environment::new(move || precise, Uuid::nil);
        assert_eq!(environment.now().timestamp_subsec_nanos(), 123_456_000);
    }
}
