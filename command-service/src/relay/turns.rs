//! In which order the logs that are behind have their turns.

use std::collections::VecDeque;

use recount_events::LogKey;
use tokio::time::Instant;

/// The logs that wait for a turn. Who has had one comes behind all who have not, however long that takes: so no log
/// is left out, whatever the others have to publish.
#[derive(Debug, Default)]
pub(super) struct Turns {
    waiting: VecDeque<LogKey>,
    /// Those that could not be published, in the order in which they are tried again.
    resting: VecDeque<(Instant, LogKey)>,
}

impl Turns {
    /// The log waits for a turn, behind all others. It must not wait already.
    pub(super) fn wait(&mut self, log: LogKey) {
        self.waiting.push_back(log);
    }

    /// The log waits for a turn from this moment on, which is not before that of any log that rests already.
    pub(super) fn rest(&mut self, log: LogKey, until: Instant) {
        self.resting.push_back((until, log));
    }

    /// Those that have rested wait again.
    pub(super) fn wake(&mut self, now: Instant) {
        while let Some((_, log)) = self.resting.pop_front_if(|(until, _)| *until <= now) {
            self.waiting.push_back(log);
        }
    }

    /// The log whose turn it is.
    pub(super) fn next(&mut self) -> Option<LogKey> {
        self.waiting.pop_front()
    }

    /// Whether no log could have its turn now.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.resting.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn who_has_had_a_turn_comes_behind_all_who_have_not() {
        let mut turns = Turns::default();
        for log in 0..5 {
            turns.wait(LogKey(log));
        }
        // Each is behind again at once, and there is time for three turns in a round.
        let mut had = Vec::new();
        for _round in 0..5 {
            for _ in 0..3 {
                let log = turns.next().unwrap();
                had.push(log.0);
                turns.wait(log);
            }
        }
        assert_eq!(had, [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_log_that_rests_keeps_nobody_waiting_and_comes_back() {
        let mut turns = Turns::default();
        let now = Instant::now();
        let later = now + Duration::from_secs(1);
        turns.rest(LogKey(1), later);
        turns.wait(LogKey(2));
        turns.wake(now);
        assert_eq!(turns.next(), Some(LogKey(2)));
        assert!(turns.is_empty());
        turns.wake(later);
        assert_eq!(turns.next(), Some(LogKey(1)));
    }
}
