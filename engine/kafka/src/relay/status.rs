//! The state of the relay, for readiness, metrics and operators.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use recount_core::{LogKey, LogName, Tip};

/// The state of a relay, shared with those who watch it. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Status(Arc<Mutex<BTreeMap<LogKey, StoppedLog>>>);

/// A log of which nothing more is published, because it does not contain what was published of it: it lost its end, was
/// rewritten, or is another log of the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoppedLog {
    pub log: LogName,
    /// The last published event.
    pub published: Tip,
}

impl Status {
    /// The stopped logs among those that this process publishes. Empty until a relay runs.
    pub fn stopped(&self) -> Vec<StoppedLog> {
        self.logs().values().cloned().collect()
    }

    /// For the readiness of a process: which logs are not published, if there are any. The text is public.
    pub fn check(&self) -> Result<(), String> {
        let stopped = self.logs();
        let Some(first) = stopped.values().next() else { return Ok(()) };
        let logs = match stopped.len() {
            1 => "1 log is".to_owned(),
            logs => format!("{logs} logs are"),
        };
        let StoppedLog { log, published } = first;
        Err(format!(
            "{logs} no longer published; `{log}` does not contain the event that was published at {}",
            published.position
        ))
    }

    /// Records that the log is stopped. It is printed once.
    pub(super) fn stop(&self, log: &LogName, published: Tip) {
        let stopped = StoppedLog { log: log.clone(), published };
        if self.logs().insert(log.key(), stopped.clone()).as_ref() != Some(&stopped) {
            tracing::error!(
                %log, %published,
                "the log does not contain what was published of it: it went back, was rewritten, or is another log of \
                 the same name. Nothing more of it is published. If it is the log to keep, have its progress forgotten; \
                 it is then published again from its start"
            );
        }
        self.measure();
    }

    /// Records that the log is published again.
    pub(super) fn resume(&self, log: LogKey) {
        if let Some(resumed) = self.logs().remove(&log) {
            tracing::info!(log = %resumed.log, "the log is published again");
        }
        self.measure();
    }

    /// Keeps only the logs that this process is to publish.
    pub(super) fn retain(&self, mine: impl Fn(LogKey) -> bool) {
        self.logs().retain(|log, _| mine(*log));
        self.measure();
    }

    /// The last published event of a stopped log; `None` if the log is not stopped.
    pub(super) fn stopped_at(&self, log: LogKey) -> Option<Tip> {
        self.logs().get(&log).map(|stopped| stopped.published)
    }

    /// Called again and again, even while there is nothing to tell: an alert has to distinguish 0 from a missing metric.
    pub(super) fn measure(&self) {
        let stopped = self.logs().len();
        metrics::gauge!("recount_relay_stopped").set(u32::try_from(stopped).unwrap_or(u32::MAX));
    }

    fn logs(&self) -> MutexGuard<'_, BTreeMap<LogKey, StoppedLog>> {
        // Poisoned means that another task panicked between plain changes of the map, so it is valid.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use recount_core::{EventHash, Position};

    use super::*;

    #[test]
    fn a_stopped_log_is_named_until_it_is_published_again() {
        let status = Status::default();
        let published = Tip { position: Position(7), hash: EventHash([1; 32]) };
        let (main, other): (LogName, LogName) = ("main".parse().unwrap(), "other".parse().unwrap());
        assert_eq!(status.check(), Ok(()));
        status.stop(&main, published);
        status.stop(&main, published);
        assert_eq!(status.stopped(), [StoppedLog { log: main.clone(), published }]);
        let reason = status.check().unwrap_err();
        assert!(reason.contains("1 log is") && reason.contains("`main`") && reason.contains('7'), "{reason}");
        status.stop(&other, published);
        assert!(status.check().unwrap_err().contains("2 logs are"));
        status.retain(|log| log == other.key());
        assert_eq!(status.stopped_at(main.key()), None);
        assert_eq!(status.stopped_at(other.key()), Some(published));
        status.resume(other.key());
        assert_eq!(status.check(), Ok(()));
    }
}
