//! The logs with unpublished events, and publishing them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use recount_core::{LogKey, LogName, Position};
use recount_store::{LogCursor, LogReader, StoreError};
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, timeout_at};

use super::leases::Leases;
use super::round_robin::RoundRobin;
use super::store::{Published, RelayStore};
use super::{RETRY_INTERVAL, RelayError};
use crate::publisher::Publisher;

/// Events that are read and published in one turn of a log.
const PAGE_EVENTS_MAX: u32 = 1_000;
/// Logs that are published at the same time. Most of a turn is spent on waiting for the brokers.
const CONCURRENT_LOGS_MAX: usize = 16;
/// Pages that are read at the same time. Commands need connections too.
const CONCURRENT_READS_MAX: usize = 4;
/// The interval in which progress is saved and new commits are looked for while events are published.
const ROUND_INTERVAL: Duration = Duration::from_millis(100);

/// The logs with unpublished events.
///
/// A lagging log is either queued, or rests after a failure, or is being published. So its pages are published one
/// after another.
#[derive(Debug)]
pub(super) struct Backlog {
    reader: LogReader,
    store: RelayStore,
    publisher: Arc<Publisher>,
    reads: Arc<Semaphore>,
    cursor: LogCursor,
    /// How far each log is published, as far as this process has read it.
    published: HashMap<LogKey, Position>,
    /// Progress that is not saved yet. It is ordered by key, so that all transactions lock rows in the same order.
    unsaved: BTreeMap<LogKey, Published>,
    /// The lagging logs, with their heads.
    lagging: HashMap<LogKey, (LogName, Position)>,
    round_robin: RoundRobin,
    in_flight: JoinSet<PublishedPage>,
    /// Logs whose last turn failed.
    failed: HashSet<LogKey>,
}

/// The outcome of a turn.
#[derive(Debug)]
struct PublishedPage {
    log: LogName,
    events: usize,
    /// The last event that is certainly on the topic, if there is a new one.
    delivered: Option<Position>,
    error: Option<RelayError>,
}

impl Backlog {
    pub(super) fn new(reader: LogReader, store: RelayStore, publisher: Publisher) -> Backlog {
        let cursor = LogCursor::new(reader.clone());
        Backlog {
            reader,
            store,
            publisher: Arc::new(publisher),
            reads: Arc::new(Semaphore::new(CONCURRENT_READS_MAX)),
            cursor,
            published: HashMap::new(),
            unsaved: BTreeMap::new(),
            lagging: HashMap::new(),
            round_robin: RoundRobin::default(),
            in_flight: JoinSet::new(),
            failed: HashSet::new(),
        }
    }

    /// Whether there is nothing to do until the next commit, or until a log has rested.
    pub(super) fn is_idle(&self) -> bool {
        self.round_robin.is_empty() && self.in_flight.is_empty()
    }

    /// Starts again from the saved progress: another process may have published in the meantime.
    pub(super) fn forget(&mut self) {
        // Records in flight may still arrive. Then they are published twice.
        self.in_flight = JoinSet::new();
        self.cursor.forget();
        self.published.clear();
        self.unsaved.clear();
        self.lagging.clear();
        self.round_robin.clear();
        self.failed.clear();
    }

    /// Finds the logs that have moved.
    pub(super) async fn look(&mut self, leases: &Leases) -> Result<(), StoreError> {
        let look = self.cursor.look().await?;
        let mine: Vec<_> = look.logs.into_iter().filter(|log| leases.covers(log.key)).collect();
        let unknown: Vec<LogKey> =
            mine.iter().map(|log| log.key).filter(|log| !self.published.contains_key(log)).collect();
        if !unknown.is_empty() {
            let saved = self.store.published(&unknown).await?;
            for log in unknown {
                self.published.insert(log, saved.get(&log).copied().unwrap_or(Position::START));
            }
        }
        for log in mine {
            if self.published_of(log.key) < log.head
                && self.lagging.insert(log.key, (log.name, log.head)).is_none()
            {
                self.round_robin.wait(log.key);
            }
        }
        Ok(())
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
        let lag = self.lagging.iter().map(|(log, (_, head))| head.0 - self.published_of(*log).0);
        metrics::gauge!("recount_relay_lag_events")
            .set(u32::try_from(lag.max().unwrap_or(0)).unwrap_or(u32::MAX));
        self.save().await
    }

    /// Saves the progress of all logs with one statement.
    pub(super) async fn save(&mut self) -> Result<(), StoreError> {
        if self.unsaved.is_empty() {
            return Ok(());
        }
        let progress: Vec<Published> = self.unsaved.values().copied().collect();
        if self.store.save_published(&progress).await? < progress.len() {
            // Another relay has saved progress, and that counts. Consumers skip the events that both have published.
            self.forget();
        }
        self.unsaved.clear();
        Ok(())
    }

    fn published_of(&self, log: LogKey) -> Position {
        self.published.get(&log).copied().unwrap_or(Position::START)
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
            let Some((name, _)) = self.lagging.get(&log).cloned() else { continue };
            let (reader, publisher) = (self.reader.clone(), Arc::clone(&self.publisher));
            let (reads, from) = (Arc::clone(&self.reads), self.published_of(log));
            self.in_flight.spawn(async move { publish_page(&reader, &publisher, &reads, &name, from).await });
        }
    }

    fn finish(&mut self, page: Result<PublishedPage, JoinError>) {
        // No task is cancelled before it is joined, so an error is a panic.
        let PublishedPage { log: name, events, delivered, error } =
            page.unwrap_or_else(|error| resume_unwind(error.into_panic()));
        let log = name.key();
        if let Some(to) = delivered {
            let from = self.published_of(log);
            self.unsaved.entry(log).or_insert(Published { log, from, to }).to = to;
            self.published.insert(log, to);
            metrics::counter!("recount_relay_published_total").increment(events as u64);
        }
        if let Some(error) = error {
            if self.failed.insert(log) {
                tracing::warn!(log = %name, %error, "a log cannot be published; the relay retries");
            } else {
                tracing::debug!(log = %name, %error, "a log still cannot be published");
            }
            self.round_robin.rest(log, Instant::now() + RETRY_INTERVAL);
            return;
        }
        self.failed.remove(&log);
        let published = self.published_of(log);
        if self.lagging.get(&log).is_some_and(|(_, head)| published < *head) {
            self.round_robin.wait(log);
        } else {
            self.lagging.remove(&log);
        }
    }
}

/// Publishes the next page of a log.
async fn publish_page(
    reader: &LogReader,
    publisher: &Publisher,
    reads: &Semaphore,
    name: &LogName,
    from: Position,
) -> PublishedPage {
    let log = name.key();
    let read = {
        let _permit = reads.acquire().await.expect("nobody closes the semaphore");
        reader.read(log, from, PAGE_EVENTS_MAX).await
    };
    let events = match read {
        Ok(events) => events,
        Err(error) => {
            return PublishedPage {
                log: name.clone(),
                events: 0,
                delivered: None,
                error: Some(error.into()),
            };
        }
    };
    let outcome = publisher.publish(name, &events).await;
    let last = outcome.prefix.checked_sub(1).and_then(|last| events.get(last));
    PublishedPage {
        log: name.clone(),
        events: outcome.prefix,
        delivered: last.map(|event| event.position),
        error: outcome.error.map(RelayError::from),
    }
}
