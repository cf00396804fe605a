//! Logs that do not contain what was published of them.
//!
//! Such a log has lost its end, was rewritten, or is another one of the same name. What comes after it would not follow
//! from what consumers have, so nothing more of it is published until somebody decides which history counts and has the
//! progress forgotten, or until the log contains the published event again.
//!
//! The saved progress is what counts, so that another process comes to the same result. It is read before the log: a log
//! that is read later contains at least what was published when the progress was saved.

use std::time::Duration;

use recount_core::{LogKey, LogName, Tip};
use recount_store::{MovedLog, StoreError};
use tokio::time::Instant;

use super::{Backlog, Known, Published};
use crate::relay::status::StoppedLog;

/// How often the progress of the stopped logs is looked at.
const RECHECK_INTERVAL: Duration = Duration::from_secs(1);
/// Suspects that are checked in a round: each takes a few small queries, and the leases must be renewed in time.
const CHECKS_MAX: usize = 100;

impl Backlog {
    /// Finds the stopped logs whose progress was forgotten or changed.
    pub(super) async fn check_stopped(&mut self) -> Result<(), StoreError> {
        let stopped = self.status.stopped();
        if stopped.is_empty() || Instant::now() < self.recheck_at {
            return Ok(());
        }
        let keys: Vec<LogKey> = stopped.iter().map(|stopped| stopped.log.key()).collect();
        let saved = self.store.published(&keys).await?;
        let is_decided = |stopped: &StoppedLog| saved.get(&stopped.log.key()) != Some(&stopped.published);
        let decided = stopped.into_iter().filter(is_decided);
        self.suspects.extend(decided.map(|stopped| (stopped.log.key(), stopped.log)));
        self.recheck_at = Instant::now() + RECHECK_INTERVAL;
        Ok(())
    }

    /// Checks logs that may not contain what was published of them.
    pub(super) async fn check_suspects(&mut self) -> Result<(), StoreError> {
        for _ in 0..CHECKS_MAX {
            let Some((log, name)) = self.suspects.first_key_value() else { break };
            let (log, name) = (*log, name.clone());
            self.check(log, name).await?;
            self.suspects.remove(&log);
        }
        Ok(())
    }

    /// Stops the log if it does not contain what was published of it, and otherwise goes on from the saved progress.
    async fn check(&mut self, log: LogKey, name: LogName) -> Result<(), StoreError> {
        let saved = self.store.published(&[log]).await?.get(&log).copied();
        // The progress of a stopped log changes only if somebody decides that the log is to go on: then it does not matter
        // what this process has delivered before.
        let is_decided = self.status.stopped_at(log).is_some_and(|stopped| saved != Some(stopped));
        let delivered = self.published_of(log).filter(|_| !is_decided);
        for published in [delivered, saved].into_iter().flatten() {
            if !self.turns.reader.contains(log, published).await? {
                return self.stop(log, &name, saved, published).await;
            }
        }
        self.known.insert(log, Known { tip: saved, generation: self.generation });
        self.status.resume(log);
        let Some(found) = self.turns.reader.log(log).await? else { return Ok(()) };
        if saved.is_none_or(|saved| saved.position < found.tip.position) {
            self.queue(MovedLog { key: log, name, tip: found.tip });
        }
        Ok(())
    }

    async fn stop(
        &mut self,
        log: LogKey,
        name: &LogName,
        saved: Option<Tip>,
        published: Tip,
    ) -> Result<(), StoreError> {
        if saved != Some(published) {
            // The saved progress has gone back too. Without this, another process would not see that the log has.
            let step = Published { log, from: saved, to: published };
            if self.store.save_published(&[step]).await? == 0 {
                // Changed at this moment. The next look finds the log again, as its progress is still another one.
                return Ok(());
            }
        }
        self.known.insert(log, Known { tip: Some(published), generation: self.generation });
        self.lagging.remove(&log);
        self.status.stop(name, published);
        Ok(())
    }
}
