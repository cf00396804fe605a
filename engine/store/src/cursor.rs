//! Following the logs that move, with one indexed query a look however many logs there are.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

use crate::error::StoreError;
use crate::logs::MovedLog;
use crate::reader::LogReader;

/// A statement may commit later than one with a later moment: looks go back this far. Far longer than a commit takes.
const OVERLAP: TimeDelta = TimeDelta::seconds(10);
/// The looks in between, which are made at once after a wake-up, go back less, so that they stay cheap.
const QUICK_OVERLAP: TimeDelta = TimeDelta::milliseconds(250);
const OVERLAP_INTERVAL: Duration = Duration::from_millis(500);
/// All logs are looked at this often, whatever was missed.
const FULL_INTERVAL: Duration = Duration::from_secs(30);

/// Where a reader of the store's news is.
#[derive(Debug)]
pub struct LogCursor {
    store: LogReader,
    watermark: Option<DateTime<Utc>>,
    full_at: Instant,
    overlap_at: Instant,
}

/// What a look has found: logs that may have moved since the look before.
#[derive(Debug)]
pub struct MovedLogs {
    pub logs: Vec<MovedLog>,
    /// Whether these are all the logs there are.
    pub full: bool,
}

impl LogCursor {
    /// A reader that knows nothing yet: its first look is a full one.
    pub fn new(store: LogReader) -> LogCursor {
        let now = Instant::now();
        LogCursor { store, watermark: None, full_at: now, overlap_at: now }
    }

    /// The next look is a full one: after a failure nothing that is remembered can be trusted.
    pub fn forget(&mut self) {
        self.full_at = Instant::now();
    }

    /// Asks which logs have moved. A log may be named again without having moved; none that has is left out for long.
    pub async fn look(&mut self) -> Result<MovedLogs, StoreError> {
        let now = Instant::now();
        let full = self.watermark.is_none() || self.full_at <= now;
        let overlap = self.overlap_at <= now;
        let back = if overlap { OVERLAP } else { QUICK_OVERLAP };
        let since = self.watermark.filter(|_| !full).and_then(|watermark| watermark.checked_sub_signed(back));
        let logs = self.store.logs_moved_since(since).await?;
        self.watermark = logs.last().map(|log| log.moved_at).or(self.watermark);
        if full {
            self.full_at = now + FULL_INTERVAL;
        }
        if overlap {
            self.overlap_at = now + OVERLAP_INTERVAL;
        }
        Ok(MovedLogs { logs, full })
    }
}
