//! Finding the logs that have moved, however many logs there are.
//!
//! The news are rows that each append inserts; a look reads those of the transactions that were not over at the previous
//! look, by the snapshot of that look. No wall clock takes part. News are a hint: the truth is where each log ends, and the cursor looks at that too,
//! page by page and all the time. After a failover, or when it has looked away for long, it does so at once.

use std::collections::HashMap;
use std::time::Duration;

use recount_core::LogKey;
use tokio::time::Instant;

use crate::error::StoreError;
use crate::logs::{MovedLog, News};
use crate::reader::LogReader;

/// Logs per page, when all logs are looked at as fast as possible and when they are looked at on the side.
const FAST_PAGE_LOGS: u32 = 5_000;
const SLOW_PAGE_LOGS: u32 = 500;
/// The interval of the pages on the side: 30,000 logs a minute.
const SLOW_PAGE_INTERVAL: Duration = Duration::from_secs(1);
/// After so many transactions news may have been removed, and all logs are looked at. Far fewer than the news that are kept.
const NEWS_TRANSACTIONS_MAX: i64 = 500_000;
/// After so long without a look, news are not read but all logs are looked at: there may be very many.
const NEWS_AGE_MAX: Duration = Duration::from_secs(30);

/// Remembers which movements of the logs a reader has seen.
#[derive(Debug)]
pub struct LogCursor {
    store: LogReader,
    /// Where the next look at the news goes on; `None` before the first look.
    mark: Option<Mark>,
    /// The last log of the previous page; `None` if the next page is the first one.
    page_after: Option<LogKey>,
    /// Whether all logs are being looked at as fast as possible.
    is_fast: bool,
    next_page_at: Instant,
}

/// What the previous look saw.
#[derive(Debug)]
struct Mark {
    snapshot: String,
    next_transaction: i64,
    timeline: Option<String>,
    looked_at: Instant,
}

/// The logs that may have moved since the previous look.
#[derive(Debug)]
pub struct MovedLogs {
    pub logs: Vec<MovedLog>,
    /// The keys, after the first one and up to the second one, of which all logs that exist are in `logs`. So a reader
    /// that remembers logs notices those that are gone.
    pub covered: Option<(i64, i64)>,
    /// Whether the looks until now have returned all logs of the store since the cursor was new or told to forget. It is
    /// set once.
    pub complete: bool,
    /// Whether there is more to return at once.
    pub more: bool,
}

impl LogCursor {
    /// A cursor that has seen nothing: its first looks return all logs.
    pub fn new(store: LogReader) -> LogCursor {
        LogCursor { store, mark: None, page_after: None, is_fast: true, next_page_at: Instant::now() }
    }

    /// Makes the next looks return all logs. Call it after a failure, when remembered state may be wrong.
    pub fn forget(&mut self) {
        self.page_after = None;
        self.is_fast = true;
    }

    /// Asks the store which logs have moved. It may repeat a log that has not moved.
    pub async fn look(&mut self) -> Result<MovedLogs, StoreError> {
        let looked_at = Instant::now();
        self.mark.take_if(|mark| mark.looked_at + NEWS_AGE_MAX < looked_at);
        let since = self.mark.as_ref().map(|mark| mark.snapshot.as_str());
        let News { logs, snapshot, next_transaction, timeline } = self.store.news(since).await?;
        if self.has_lost_its_place(next_transaction, timeline.as_deref()) {
            self.forget();
        }
        let mut moved: HashMap<LogKey, MovedLog> = logs.into_iter().map(|log| (log.key, log)).collect();
        let (mut complete, mut covered) = (false, None);
        let limit = if self.is_fast { FAST_PAGE_LOGS } else { SLOW_PAGE_LOGS };
        if self.is_fast || self.next_page_at <= Instant::now() {
            // Read after the news, so it knows at least as much.
            let page = self.store.logs_after(self.page_after, limit).await?;
            let is_last = page.len() < limit as usize;
            let last = page.last().map_or(i64::MAX, |log| log.key.0);
            covered = Some((
                self.page_after.map_or(i64::MIN, |after| after.0),
                if is_last { i64::MAX } else { last },
            ));
            self.page_after = page.last().map(|log| log.key).filter(|_| !is_last);
            moved.extend(page.into_iter().map(|log| (log.key, log)));
            complete = self.is_fast && is_last;
            self.is_fast &= !is_last;
            self.next_page_at = Instant::now() + SLOW_PAGE_INTERVAL;
        }
        // Only now: if reading the page failed, the news are read again.
        self.mark = Some(Mark { snapshot, next_transaction, timeline, looked_at });
        Ok(MovedLogs { logs: moved.into_values().collect(), covered, complete, more: self.is_fast })
    }

    /// Whether news may have been missed: the server's transactions or its history are not the ones of the previous look,
    /// or they have been removed by now.
    fn has_lost_its_place(&self, next_transaction: i64, timeline: Option<&str>) -> bool {
        let Some(previous) = &self.mark else { return true };
        let transactions = next_transaction - previous.next_transaction;
        !(0..=NEWS_TRANSACTIONS_MAX).contains(&transactions) || timeline != previous.timeline.as_deref()
    }
}
