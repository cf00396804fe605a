//! The deadlines whose commands were submitted: most are gone when one looks again, and those that are not have to
//! wait longer each time.

use std::collections::BTreeMap;
use std::ops::Bound;

use recount_store::Deadline;
use tokio::time::Instant;

use super::Pace;
use super::turn::{Due, Verdict};

/// Doublings of the first wait; whatever they come to, `retry_max` bounds it.
const DOUBLINGS_MAX: u32 = 16;
/// Deadlines that are remembered. One that is forgotten is tried as if for the first time.
const RETRIES_MAX: usize = 1 << 17;

/// What was submitted and may still be due.
#[derive(Debug, Default)]
pub(crate) struct Retries {
    deadlines: BTreeMap<Deadline, Attempt>,
}

#[derive(Debug)]
struct Attempt {
    times: u32,
    again_at: Instant,
    last: Verdict,
}

impl Retries {
    /// How to try a deadline that is due; `None` if it was tried not long ago.
    pub(crate) fn when_due(&self, deadline: Deadline, now: Instant) -> Option<Due> {
        match self.deadlines.get(&deadline) {
            None => Some(Due { deadline, tries: 0, alone: false }),
            Some(attempt) if attempt.again_at > now => None,
            Some(attempt) => {
                Some(Due { tries: attempt.times, alone: attempt.last.may_have_harmed_others(), deadline })
            }
        }
    }

    /// Forgets what is not due any more. A page of what is due tells it from after `after` up to `up_to`, where `None` is
    /// the beginning and the end of all that is due.
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

    /// How many were still due after their command, and have been tried again.
    pub(crate) fn stuck(&self) -> usize {
        self.deadlines.values().filter(|attempt| attempt.times > 1).count()
    }

    pub(crate) fn note(&mut self, deadline: Deadline, verdict: Verdict, now: Instant, pace: &Pace) {
        let before = self.deadlines.remove(&deadline);
        if let Some(first) = before.as_ref().filter(|before| before.times == 1) {
            // Once: what stays is in the metrics.
            tracing::warn!(
                log = %deadline.log_name,
                name = deadline.name,
                due_at = %deadline.due_at,
                at_first = %first.last,
                then = %verdict,
                "a deadline was still set after its command and was tried again"
            );
        }
        if self.deadlines.len() >= RETRIES_MAX {
            self.deadlines.pop_first();
        }
        let times = before.map_or(0, |before| before.times);
        let wait = pace.retry_first.saturating_mul(1 << times.min(DOUBLINGS_MAX)).min(pace.retry_max);
        let attempt = Attempt { times: times.saturating_add(1), again_at: now + wait, last: verdict };
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

    /// How often it was tried before, and whether it is tried alone.
    fn try_of(retries: &Retries, name: &str, now: Instant) -> Option<(u32, bool)> {
        retries.when_due(deadline(name), now).map(|due| (due.tries, due.alone))
    }

    #[test]
    fn a_deadline_that_stays_waits_longer_each_time_and_not_for_ever() {
        let mut retries = Retries::default();
        let mut now = Instant::now();
        assert_eq!(try_of(&retries, "a", now), Some((0, false)));
        for (times, seconds) in (1..).zip([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 3_600, 3_600])
        {
            retries.note(deadline("a"), Verdict::NoEvents, now, &Pace::default());
            now += SECOND * seconds;
            assert_eq!(try_of(&retries, "a", now - SECOND / 2), None);
            assert_eq!(try_of(&retries, "a", now), Some((times, false)));
        }
    }

    #[test]
    fn a_deadline_that_may_have_harmed_others_is_tried_alone_and_no_other_is() {
        let mut retries = Retries::default();
        let now = Instant::now();
        for (error, alone) in [
            (SubmitError::OutcomeUnknown, true),
            (SubmitError::Unavailable, true),
            (SubmitError::Internal, false),
        ] {
            retries.note(deadline("a"), Verdict::Failed(error), now, &Pace::default());
            assert_eq!(try_of(&retries, "a", now + SECOND * 60).unwrap().1, alone);
        }
        retries.note(deadline("a"), Verdict::NoEvents, now, &Pace::default());
        assert!(!try_of(&retries, "a", now + SECOND * 60).unwrap().1);
    }

    #[test]
    fn what_is_not_due_any_more_is_forgotten_as_far_as_a_page_tells() {
        let mut retries = Retries::default();
        let now = Instant::now();
        for name in ["a", "b", "c", "d", "e"] {
            retries.note(deadline(name), Verdict::NoEvents, now, &Pace::default());
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
    fn only_what_was_tried_again_is_stuck() {
        let mut retries = Retries::default();
        let now = Instant::now();
        retries.note(deadline("a"), Verdict::Met, now, &Pace::default());
        retries.note(deadline("b"), Verdict::NoEvents, now, &Pace::default());
        assert_eq!(retries.stuck(), 0);
        retries.note(deadline("b"), Verdict::NoEvents, now, &Pace::default());
        assert_eq!(retries.stuck(), 1);
    }
}
