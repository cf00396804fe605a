//! The deadlines whose commands were submitted. Most of them are cleared at the next look. The others are retried after
//! a pause that gets longer each time.

use std::collections::BTreeMap;
use std::ops::Bound;

use recount_store::Deadline;
use tokio::time::Instant;

use super::Pace;
use super::turn::{DeadlineOutcome, DueDeadline};

/// The first pause is doubled this often at most, so that the factor fits its type. `retry_max` limits the pause.
const DOUBLINGS_MAX: u32 = 16;
/// Deadlines that are remembered. One that is forgotten counts as new.
const RETRIES_MAX: usize = 1 << 17;

/// The deadlines that were tried and may still be due.
#[derive(Debug, Default)]
pub(crate) struct Retries {
    deadlines: BTreeMap<Deadline, Attempt>,
}

#[derive(Debug)]
struct Attempt {
    attempts: u32,
    retry_at: Instant,
    last_outcome: DeadlineOutcome,
}

impl Retries {
    /// How to try a due deadline; `None` if its pause is not over.
    pub(crate) fn when_due(&self, deadline: Deadline, now: Instant) -> Option<DueDeadline> {
        match self.deadlines.get(&deadline) {
            None => Some(DueDeadline { deadline, attempts: 0, isolated: false }),
            Some(attempt) if attempt.retry_at > now => None,
            Some(attempt) => Some(DueDeadline {
                attempts: attempt.attempts,
                isolated: attempt.last_outcome.may_have_blocked_writer(),
                deadline,
            }),
        }
    }

    /// Forgets the deadlines that are no longer due. `page` has all due deadlines that follow `after`, up to and
    /// including `up_to`; `None` stands for the first and the last of all.
    pub(crate) fn forget_all_but(
        &mut self,
        page: &[Deadline],
        after: Option<&Deadline>,
        up_to: Option<&Deadline>,
    ) {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let to = up_to.map_or(Bound::Unbounded, Bound::Included);
        let known = self.deadlines.range::<Deadline, _>((from, to)).map(|(deadline, _)| deadline);
        let gone: Vec<Deadline> =
            known.filter(|deadline| page.binary_search(deadline).is_err()).cloned().collect();
        for deadline in gone {
            self.deadlines.remove(&deadline);
        }
    }

    /// The number of deadlines that were still due after their command and were tried again.
    pub(crate) fn stuck(&self) -> usize {
        self.deadlines.values().filter(|attempt| attempt.attempts > 1).count()
    }

    /// Remembers an attempt, and when the next one may follow.
    pub(crate) fn note(&mut self, deadline: Deadline, outcome: DeadlineOutcome, now: Instant, pace: &Pace) {
        let before = self.deadlines.remove(&deadline);
        if let Some(first) = before.as_ref().filter(|before| before.attempts == 1) {
            // Printed once per deadline; the metrics show the deadlines that stay.
            tracing::warn!(
                log = %deadline.log_name,
                name = deadline.name,
                due_at = %deadline.due_at,
                first_outcome = %first.last_outcome,
                outcome = %outcome,
                "a deadline was still set after its command and was tried again"
            );
        }
        if self.deadlines.len() >= RETRIES_MAX {
            self.deadlines.pop_first();
        }
        let attempts = before.map_or(0, |before| before.attempts);
        let pause = pace.retry_first.saturating_mul(1 << attempts.min(DOUBLINGS_MAX)).min(pace.retry_max);
        let attempt =
            Attempt { attempts: attempts.saturating_add(1), retry_at: now + pause, last_outcome: outcome };
        self.deadlines.insert(deadline, attempt);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SubmitError;
    use chrono::DateTime;
    use recount_core::LogKey;
    use std::time::Duration;

    const SECOND: Duration = Duration::from_secs(1);

    fn deadline(name: &str) -> Deadline {
        Deadline {
            due_at: DateTime::UNIX_EPOCH,
            log: LogKey(1),
            name: name.to_owned(),
            log_name: "main".parse().unwrap(),
        }
    }

    /// The number of earlier attempts, and whether the next one is isolated.
    fn next_attempt(retries: &Retries, name: &str, now: Instant) -> Option<(u32, bool)> {
        retries.when_due(deadline(name), now).map(|due| (due.attempts, due.isolated))
    }

    #[test]
    fn the_pause_between_attempts_doubles_up_to_the_maximum() {
        let mut retries = Retries::default();
        let mut now = Instant::now();
        assert_eq!(next_attempt(&retries, "a", now), Some((0, false)));
        for (attempts, seconds) in
            (1..).zip([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 3_600, 3_600])
        {
            retries.note(deadline("a"), DeadlineOutcome::NoEvents, now, &Pace::default());
            now += SECOND * seconds;
            assert_eq!(next_attempt(&retries, "a", now - SECOND / 2), None);
            assert_eq!(next_attempt(&retries, "a", now), Some((attempts, false)));
        }
    }

    #[test]
    fn only_a_deadline_that_may_have_blocked_the_writer_is_isolated() {
        let mut retries = Retries::default();
        let now = Instant::now();
        for (error, isolated) in [
            (SubmitError::OutcomeUnknown, true),
            (SubmitError::Unavailable, true),
            (SubmitError::Internal, false),
        ] {
            retries.note(deadline("a"), DeadlineOutcome::Failed(error), now, &Pace::default());
            assert_eq!(next_attempt(&retries, "a", now + SECOND * 60).unwrap().1, isolated);
        }
        retries.note(deadline("a"), DeadlineOutcome::NoEvents, now, &Pace::default());
        assert!(!next_attempt(&retries, "a", now + SECOND * 60).unwrap().1);
    }

    #[test]
    fn deadlines_in_the_range_of_a_page_that_are_no_longer_due_are_forgotten() {
        let mut retries = Retries::default();
        let now = Instant::now();
        for name in ["a", "b", "c", "d", "e"] {
            retries.note(deadline(name), DeadlineOutcome::NoEvents, now, &Pace::default());
        }
        let left =
            |retries: &Retries| retries.deadlines.keys().map(|deadline| &*deadline.name).collect::<String>();
        retries.forget_all_but(&[deadline("c")], Some(&deadline("a")), Some(&deadline("c")));
        assert_eq!(left(&retries), "acde");
        retries.forget_all_but(&[deadline("a"), deadline("d")], None, Some(&deadline("d")));
        assert_eq!(left(&retries), "ade");
        retries.forget_all_but(&[], Some(&deadline("a")), None);
        assert_eq!(left(&retries), "a");
    }

    #[test]
    fn only_a_deadline_that_was_tried_again_is_stuck() {
        let mut retries = Retries::default();
        let now = Instant::now();
        retries.note(deadline("a"), DeadlineOutcome::Met, now, &Pace::default());
        retries.note(deadline("b"), DeadlineOutcome::NoEvents, now, &Pace::default());
        assert_eq!(retries.stuck(), 0);
        retries.note(deadline("b"), DeadlineOutcome::NoEvents, now, &Pace::default());
        assert_eq!(retries.stuck(), 1);
    }
}
