//! The order in which lagging logs get their turns.

use std::collections::VecDeque;

use recount_core::LogKey;
use tokio::time::Instant;

/// The logs that wait for a turn. After its turn a log queues behind all others, so every log gets a turn, however much
/// the others have to publish.
#[derive(Debug, Default)]
pub(super) struct RoundRobin {
    waiting: VecDeque<LogKey>,
    /// Logs that could not be published, in the order of their next attempt.
    resting: VecDeque<(Instant, LogKey)>,
}

impl RoundRobin {
    /// Queues a log behind all others. It must not be queued already.
    pub(super) fn wait(&mut self, log: LogKey) {
        self.waiting.push_back(log);
    }

    /// Lets a log rest until this time. Calls must be in the order of their times.
    pub(super) fn rest(&mut self, log: LogKey, until: Instant) {
        self.resting.push_back((until, log));
    }

    /// Queues the logs that have rested.
    pub(super) fn wake(&mut self, now: Instant) {
        while let Some((_, log)) = self.resting.pop_front_if(|(until, _)| *until <= now) {
            self.waiting.push_back(log);
        }
    }

    /// The next log.
    pub(super) fn next(&mut self) -> Option<LogKey> {
        self.waiting.pop_front()
    }

    /// Whether no log is queued.
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
    fn a_log_queues_behind_all_others_after_its_turn() {
        let mut turns = RoundRobin::default();
        for log in 0..5 {
            turns.wait(LogKey(log));
        }
        // Each log lags again after its turn, and a round has time for three turns.
        let mut order = Vec::new();
        for _round in 0..5 {
            for _ in 0..3 {
                let log = turns.next().unwrap();
                order.push(log.0);
                turns.wait(log);
            }
        }
        assert_eq!(order, [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_resting_log_does_not_delay_others_and_comes_back() {
        let mut turns = RoundRobin::default();
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
