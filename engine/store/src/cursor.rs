//! Finding the logs that have moved, with one indexed query per look, however many logs there are.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

use crate::error::StoreError;
use crate::logs::MovedLog;
use crate::reader::LogReader;

/// A statement may commit after another one with a later timestamp, so a look goes back this far. This is much longer
/// than a commit takes.
const OVERLAP: TimeDelta = TimeDelta::seconds(10);
/// The looks in between follow each notification. They go back less far, which keeps them cheap.
const QUICK_OVERLAP: TimeDelta = TimeDelta::milliseconds(250);
/// The interval between looks that go back by the whole `OVERLAP`.
const OVERLAP_INTERVAL: Duration = Duration::from_millis(500);
/// The interval between looks at all logs, which find everything that other looks have missed.
const COMPLETE_INTERVAL: Duration = Duration::from_secs(30);

/// Remembers which movements of the logs a reader has seen.
#[derive(Debug)]
pub struct LogCursor {
    store: LogReader,
    /// The latest movement that was seen, by the clock of the database.
    last_moved_at: Option<DateTime<Utc>>,
    complete_at: Instant,
    overlap_at: Instant,
}

/// The logs that may have moved since the previous look.
#[derive(Debug)]
pub struct MovedLogs {
    pub logs: Vec<MovedLog>,
    /// Whether these are all logs of the store.
    pub complete: bool,
}

impl LogCursor {
    /// A cursor that has seen nothing: its first look returns all logs.
    pub fn new(store: LogReader) -> LogCursor {
        let now = Instant::now();
        LogCursor { store, last_moved_at: None, complete_at: now, overlap_at: now }
    }

    /// Makes the next look return all logs. Call it after a failure, when remembered state may be wrong.
    pub fn forget(&mut self) {
        self.complete_at = Instant::now();
    }

    /// Asks the store which logs have moved. It may repeat a log that has not moved. A log that has moved may be
    /// missing, but for half a minute at most.
    pub async fn look(&mut self) -> Result<MovedLogs, StoreError> {
        let now = Instant::now();
        let complete = self.last_moved_at.is_none() || self.complete_at <= now;
        let overlap = self.overlap_at <= now;
        let back = if overlap { OVERLAP } else { QUICK_OVERLAP };
        let since = self
            .last_moved_at
            .filter(|_| !complete)
            .and_then(|last_moved_at| last_moved_at.checked_sub_signed(back));
        let logs = self.store.logs_moved_since(since).await?;
        self.last_moved_at = logs.last().map(|log| log.moved_at).or(self.last_moved_at);
        if complete {
            self.complete_at = now + COMPLETE_INTERVAL;
        }
        if overlap {
            self.overlap_at = now + OVERLAP_INTERVAL;
        }
        Ok(MovedLogs { logs, complete })
    }
}
