//! The logs with unpublished events, and publishing them.

mod stops;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::panic::resume_unwind;
use std::time::Duration;

use recount_core::{LogKey, LogName, Position, Tip};
use recount_store::{LogCursor, LogReader, MovedLog, StoreError};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, timeout_at};

use super::leases::Leases;
use super::round_robin::RoundRobin;
use super::status::Status;
use super::store::{Published, RelayStore};
use super::turn::{PAGE_EVENTS_MAX, PublishedPage, Turns};
use super::{RETRY_INTERVAL, RelayError};
use crate::publisher::Publisher;

/// Logs that are published at the same time. Most of a turn is spent on waiting for the brokers.
const CONCURRENT_LOGS_MAX: usize = 16;
/// How much smaller the page is after a turn that failed; it doubles with each turn that succeeds. After four failures an
/// event is alone.
const PAGE_SHRINKS_BY: u32 = 8;
/// The interval in which progress is saved and new commits are looked for while events are published.
const ROUND_INTERVAL: Duration = Duration::from_millis(100);

/// The logs with unpublished events.
///
/// A lagging log is either queued, or rests after a failure, or is being published. So its pages are published one
/// after another.
#[derive(Debug)]
pub(super) struct Backlog {
    turns: Turns,
    store: RelayStore,
    status: Status,
    cursor: LogCursor,
    /// Whether the cursor has more to return at once.
    has_more_logs: bool,
    known: HashMap<LogKey, Known>,
    /// Raised when the saved progress of every log has to be looked at again.
    generation: u64,
    /// Progress that is not saved yet. It is ordered by key, so that all transactions lock rows in the same order.
    unsaved: BTreeMap<LogKey, Published>,
    /// The lagging logs, with where they end.
    lagging: HashMap<LogKey, (LogName, Tip)>,
    round_robin: RoundRobin,
    in_flight: JoinSet<PublishedPage>,
    /// Logs whose last turn failed.
    failed: HashSet<LogKey>,
    /// The events in the next turn of logs that failed lately. If Kafka refuses one event, those after it are not
    /// published again and again: the page shrinks until the event is alone.
    page_limits: HashMap<LogKey, u32>,
    /// Logs that may not contain what was published of them, or whose progress somebody else has changed.
    suspects: BTreeMap<LogKey, LogName>,
    /// When to look at the progress of the stopped logs again.
    recheck_at: Instant,
}

/// How far a log is published, as far as this process knows.
#[derive(Clone, Copy, Debug)]
struct Known {
    /// `None` if nothing was published yet.
    tip: Option<Tip>,
    /// The generation in which it was the saved progress.
    generation: u64,
}

impl Backlog {
    pub(super) fn new(reader: LogReader, store: RelayStore, publisher: Publisher, status: Status) -> Backlog {
        Backlog {
            cursor: LogCursor::new(reader.clone()),
            turns: Turns::new(reader, publisher),
            store,
            status,
            has_more_logs: false,
            known: HashMap::new(),
            generation: 0,
            unsaved: BTreeMap::new(),
            lagging: HashMap::new(),
            round_robin: RoundRobin::default(),
            in_flight: JoinSet::new(),
            failed: HashSet::new(),
            page_limits: HashMap::new(),
            suspects: BTreeMap::new(),
            recheck_at: Instant::now(),
        }
    }

    /// Whether there is nothing to do until the next commit, or until a log has rested.
    pub(super) fn is_idle(&self) -> bool {
        self.round_robin.is_empty()
            && self.in_flight.is_empty()
            && self.suspects.is_empty()
            && !self.has_more_logs
    }

    /// Starts again from the saved progress, after a failure. What was delivered is remembered: if the database has lost
    /// the end of a log, the saved progress may have gone back with it and does not show it.
    pub(super) fn restart(&mut self) {
        // Records in flight may still arrive. Then they are published twice.
        self.in_flight = JoinSet::new();
        self.cursor.forget();
        self.has_more_logs = false;
        self.generation += 1;
        self.unsaved.clear();
        self.lagging.clear();
        self.round_robin.clear();
        self.failed.clear();
        self.page_limits.clear();
        self.suspects.clear();
    }

    /// Starts again after the leases have changed: another process may have published in the meantime.
    pub(super) fn forget(&mut self, leases: &Leases) {
        self.restart();
        self.known.clear();
        self.status.retain(|log| leases.covers(log));
    }

    /// Finds the logs that have moved, and those that have gone back.
    pub(super) async fn look(&mut self, leases: &Leases) -> Result<(), StoreError> {
        let look = self.cursor.look().await?;
        self.has_more_logs = look.more;
        let mine: Vec<MovedLog> = look.logs.into_iter().filter(|log| leases.covers(log.key)).collect();
        self.compare_progress(&mine).await?;
        for log in mine {
            self.sort_in(log);
        }
        self.check_stopped().await?;
        self.check_suspects().await
    }

    /// Reads the saved progress of logs that are not known, or that seem to have nothing to publish: their progress may
    /// have been forgotten. That of a log with something to publish is compared when it is saved.
    async fn compare_progress(&mut self, logs: &[MovedLog]) -> Result<(), StoreError> {
        let is_compared = |log: &&MovedLog| match self.known.get(&log.key) {
            Some(known) if known.generation == self.generation => {
                known.tip.is_some_and(|tip| tip == log.tip) && !self.lagging.contains_key(&log.key)
            }
            _ => true,
        };
        let compared: Vec<&MovedLog> = logs.iter().filter(is_compared).collect();
        if compared.is_empty() {
            return Ok(());
        }
        let keys: Vec<LogKey> = compared.iter().map(|log| log.key).collect();
        let saved = self.store.published(&keys).await?;
        for log in compared {
            let tip = saved.get(&log.key).copied();
            let is_other = self.known.get(&log.key).is_some_and(|known| known.tip != tip);
            if is_other {
                self.suspects.insert(log.key, log.name.clone());
            } else {
                self.known.insert(log.key, Known { tip, generation: self.generation });
            }
        }
        Ok(())
    }

    /// Decides what to do about a log that may have moved.
    fn sort_in(&mut self, log: MovedLog) {
        if self.suspects.contains_key(&log.key) {
            return;
        }
        let published = self.published_of(log.key);
        let is_ahead = published.is_none_or(|published| published.position < log.tip.position);
        if self.status.stopped_at(log.key).is_some() {
            // It may contain again what was published of it. If it does not even reach that far, it does not.
            if is_ahead || published == Some(log.tip) {
                self.suspects.insert(log.key, log.name);
            }
        } else if is_ahead {
            self.queue(log);
        } else if published != Some(log.tip) && !self.lagging.contains_key(&log.key) {
            self.suspects.insert(log.key, log.name);
        }
    }

    fn queue(&mut self, log: MovedLog) {
        let is_empty = log.tip.position == Position::START;
        if !is_empty && self.lagging.insert(log.key, (log.name, log.tip)).is_none() {
            self.round_robin.wait(log.key);
        }
    }

    /// Gives lagging logs their turns for a while, and saves the progress.
    pub(super) async fn publish(&mut self, leases: &Leases) -> Result<(), StoreError> {
        let now = Instant::now();
        let until = leases.due().min(now + ROUND_INTERVAL);
        self.round_robin.wake(now);
        while Instant::now() < until {
            self.begin(leases);
            match timeout_at(until, self.in_flight.join_next()).await {
                Ok(Some(page)) => self.finish(page),
                Ok(None) | Err(_) => break,
            }
        }
        self.save().await
    }

    /// Sets the gauges.
    pub(super) fn measure(&self) {
        let published = |log| self.published_of(log).map_or(0, |published| published.position.0);
        let lag = self.lagging.iter().map(|(log, (_, end))| end.position.0 - published(*log));
        metrics::gauge!("recount_relay_lag_events")
            .set(u32::try_from(lag.max().unwrap_or(0)).unwrap_or(u32::MAX));
        metrics::gauge!("recount_relay_failing").set(u32::try_from(self.failed.len()).unwrap_or(u32::MAX));
        self.status.measure();
    }

    /// Saves the progress of all logs with one statement.
    pub(super) async fn save(&mut self) -> Result<(), StoreError> {
        if self.unsaved.is_empty() {
            return Ok(());
        }
        let progress: Vec<Published> = self.unsaved.values().copied().collect();
        if self.store.save_published(&progress).await? < progress.len() {
            // Somebody else has changed the progress of a log. The next looks find out which, and what to do.
            self.restart();
        }
        self.unsaved.clear();
        Ok(())
    }

    fn published_of(&self, log: LogKey) -> Option<Tip> {
        self.known.get(&log).and_then(|known| known.tip)
    }

    /// Starts turns, up to the limit of logs that are published at the same time.
    fn begin(&mut self, leases: &Leases) {
        while self.in_flight.len() < CONCURRENT_LOGS_MAX
            && let Some(log) = self.round_robin.next()
        {
            if !leases.covers(log) {
                // This process may get the lease back although the log does not move again, so the next look returns
                // all logs.
                self.lagging.remove(&log);
                self.cursor.forget();
                continue;
            }
            let Some((name, end)) = self.lagging.get(&log).cloned() else { continue };
            let limit = self.page_limits.get(&log).copied().unwrap_or(PAGE_EVENTS_MAX);
            self.in_flight.spawn(self.turns.clone().take(name, self.published_of(log), end, limit));
        }
    }

    fn finish(&mut self, page: Result<PublishedPage, JoinError>) {
        // No task is cancelled before it is joined, so an error is a panic.
        let page = page.unwrap_or_else(|error| resume_unwind(error.into_panic()));
        let log = page.log.key();
        if let Some(to) = page.delivered {
            let from = self.published_of(log);
            self.unsaved.entry(log).or_insert(Published { log, from, to }).to = to;
            self.known.insert(log, Known { tip: Some(to), generation: self.generation });
            metrics::counter!("recount_relay_published_total").increment(page.events as u64);
        }
        match page.error {
            None => {}
            Some(RelayError::Store(StoreError::Diverged(_))) => {
                self.lagging.remove(&log);
                self.suspects.insert(log, page.log);
                return;
            }
            Some(error) => return self.rest(&page.log, &error),
        }
        self.failed.remove(&log);
        self.grow_page(log);
        let published = self.published_of(log);
        let Some((_, end)) = self.lagging.get(&log) else { return };
        // A log that has nothing more to read does not reach as far as it did, unless it has moved since.
        let is_done = published.is_some_and(|published| published.position >= end.position)
            || (page.is_empty && *end == page.end);
        if is_done {
            self.lagging.remove(&log);
            self.page_limits.remove(&log);
        } else {
            self.round_robin.wait(log);
        }
    }

    /// Lets a log rest that could not be published.
    fn rest(&mut self, log: &LogName, error: &RelayError) {
        if self.failed.insert(log.key()) {
            tracing::warn!(%log, %error, "a log cannot be published; the relay retries");
        } else {
            tracing::debug!(%log, %error, "a log still cannot be published");
        }
        let limit = self.page_limits.entry(log.key()).or_insert(PAGE_EVENTS_MAX);
        *limit = (*limit / PAGE_SHRINKS_BY).max(1);
        self.round_robin.rest(log.key(), Instant::now() + RETRY_INTERVAL);
    }

    /// Lets the pages of a log grow again after a turn that succeeded.
    fn grow_page(&mut self, log: LogKey) {
        let Some(limit) = self.page_limits.get_mut(&log) else { return };
        *limit *= 2;
        if *limit >= PAGE_EVENTS_MAX {
            self.page_limits.remove(&log);
        }
    }
}
