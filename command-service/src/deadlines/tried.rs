//! The deadlines whose commands were submitted: most are gone when one looks again, and those that are not have to
//! wait longer each time.

use std::collections::BTreeMap;

use recount_event_store::Deadline;
use tokio::time::Instant;

use super::Pace;
use super::turn::Verdict;

/// Doublings of the first wait; whatever they come to, `retry_max` bounds it.
const DOUBLINGS_MAX: u32 = 16;

/// What was submitted and may still be due. It holds no more than what is due, and what was at the sweep before.
#[derive(Debug, Default)]
pub(super) struct Tried {
    deadlines: BTreeMap<Deadline, Attempt>,
    sweep: u64,
}

#[derive(Debug)]
struct Attempt {
    times: u32,
    again_at: Instant,
    last: Verdict,
    /// The last sweep that found it due.
    seen_in: u64,
}

/// Whether a deadline gets its command now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Try {
    First,
    Again,
    /// It was tried not long ago.
    Later,
}

impl Tried {
    pub(super) fn begin_sweep(&mut self) {
        self.sweep += 1;
    }

    /// Tells what to do with a deadline that the sweep has found.
    pub(super) fn find(&mut self, deadline: &Deadline, now: Instant) -> Try {
        let Some(attempt) = self.deadlines.get_mut(deadline) else { return Try::First };
        attempt.seen_in = self.sweep;
        if attempt.again_at > now {
            return Try::Later;
        }
        // Once: what stays is in the metrics.
        if attempt.times == 1 {
            tracing::warn!(
                log = deadline.log.0,
                name = deadline.name,
                due_at = %deadline.due_at,
                why = %attempt.last,
                "a deadline is still set after its command; it is tried again"
            );
        }
        Try::Again
    }

    /// Forgets what the sweep did not find as far as it came; `None` is the end.
    pub(super) fn end_sweep(&mut self, up_to: Option<&Deadline>) {
        let sweep = self.sweep;
        self.deadlines.retain(|deadline, attempt| {
            attempt.seen_in == sweep || up_to.is_some_and(|up_to| deadline > up_to)
        });
    }

    /// How many are still due although they were tried. Right after a sweep.
    pub(super) fn stuck(&self) -> usize {
        self.deadlines.len()
    }

    pub(super) fn note(&mut self, deadline: Deadline, verdict: Verdict, now: Instant, pace: &Pace) {
        let times = self.deadlines.get(&deadline).map_or(0, |attempt| attempt.times);
        let wait = pace.retry_first.saturating_mul(1 << times.min(DOUBLINGS_MAX)).min(pace.retry_max);
        let attempt = Attempt {
            times: times.saturating_add(1),
            again_at: now + wait,
            last: verdict,
            seen_in: self.sweep,
        };
        self.deadlines.insert(deadline, attempt);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;
    use recount_events::LogKey;
    use std::time::Duration;

    const SECOND: Duration = Duration::from_secs(1);

    fn deadline(name: &str) -> Deadline {
        Deadline { due_at: DateTime::UNIX_EPOCH, log: LogKey(1), name: name.to_owned() }
    }

    #[test]
    fn a_deadline_that_stays_waits_longer_each_time_and_not_for_ever() {
        let mut tried = Tried::default();
        let mut now = Instant::now();
        tried.begin_sweep();
        assert_eq!(tried.find(&deadline("a"), now), Try::First);
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            tried.note(deadline("a"), Verdict::NoEvents, now, &Pace::default());
            now += SECOND * seconds;
            assert_eq!(tried.find(&deadline("a"), now - SECOND / 2), Try::Later);
            assert_eq!(tried.find(&deadline("a"), now), Try::Again);
        }
    }

    #[test]
    fn a_deadline_that_a_sweep_does_not_find_is_forgotten() {
        let mut tried = Tried::default();
        let now = Instant::now();
        tried.begin_sweep();
        for name in ["a", "b", "c"] {
            tried.note(deadline(name), Verdict::Met, now, &Pace::default());
        }
        tried.begin_sweep();
        assert_eq!(tried.find(&deadline("b"), now), Try::Later);
        // It came as far as this one: of the third it knows nothing.
        tried.end_sweep(Some(&deadline("b")));
        assert_eq!(tried.stuck(), 2);
        tried.begin_sweep();
        tried.end_sweep(None);
        assert_eq!(tried.stuck(), 0);
        assert_eq!(tried.find(&deadline("a"), now), Try::First);
    }
}
