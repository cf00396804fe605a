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
const PAGE: u32 = 1_000;
/// Logs that are published at the same time: most of a turn is waiting for the brokers.
const LOGS_AT_ONCE: usize = 16;
/// Pages that are read at the same time. The commands need connections too.
const READS_AT_ONCE: usize = 4;
/// How often progress is saved and commits are looked for while publishing goes on.
const ROUND_INTERVAL: Duration = Duration::from_millis(100);

/// The events that are left to publish.
///
/// A lagging log is queued, rests after a failure, or is being published: one of these at a time, so that its pages follow
/// each other.
#[derive(Debug)]
pub(super) struct Backlog {
    reader: LogReader,
    store: RelayStore,
    publisher: Arc<Publisher>,
    reads: Arc<Semaphore>,
    cursor: LogCursor,
    /// How far each log is published, of the logs that this process has looked at.
    published: HashMap<LogKey, Position>,
    /// Progress that is not saved yet, in the order of the keys, so that transactions lock rows in one order.
    unsaved: BTreeMap<LogKey, Published>,
    behind: HashMap<LogKey, (LogName, Position)>,
    round_robin: RoundRobin,
    under_way: JoinSet<PublishedPage>,
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
            reads: Arc::new(Semaphore::new(READS_AT_ONCE)),
            cursor,
            published: HashMap::new(),
            unsaved: BTreeMap::new(),
            behind: HashMap::new(),
            round_robin: RoundRobin::default(),
            under_way: JoinSet::new(),
            failed: HashSet::new(),
        }
    }

    /// Whether there is nothing to do until the next commit, or until a log has rested.
    pub(super) fn is_idle(&self) -> bool {
        self.round_robin.is_empty() && self.under_way.is_empty()
    }

    /// Starts again from the saved progress: another process may have published in the meantime.
    pub(super) fn forget(&mut self) {
        // Records under way may still arrive, and are then published twice.
        self.under_way = JoinSet::new();
        self.cursor.forget();
        self.published.clear();
        self.unsaved.clear();
        self.behind.clear();
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
                && self.behind.insert(log.key, (log.name, log.head)).is_none()
            {
                self.round_robin.wait(log.key);
            }
        }
        Ok(())
    }

    /// Publishes for a while, each lagging log in its turn, and saves the progress.
    pub(super) async fn publish(&mut self, leases: &Leases) -> Result<(), StoreError> {
        let now = Instant::now();
        let until = leases.due().min(now + ROUND_INTERVAL);
        self.round_robin.wake(now);
        while Instant::now() < until {
            self.begin(leases);
            match timeout_at(until, self.under_way.join_next()).await {
                Ok(Some(page)) => self.finish(page),
                Ok(None) | Err(_) => break,
            }
        }
        let lag = self.behind.iter().map(|(log, (_, head))| head.0 - self.published_of(*log).0);
        metrics::gauge!("recount_relay_lag_events")
            .set(u32::try_from(lag.max().unwrap_or(0)).unwrap_or(u32::MAX));
        self.save().await
    }

    /// Saves how far the logs are published, all in one statement.
    pub(super) async fn save(&mut self) -> Result<(), StoreError> {
        if self.unsaved.is_empty() {
            return Ok(());
        }
        let progress: Vec<Published> = self.unsaved.values().copied().collect();
        if self.store.save_published(&progress).await? < progress.len() {
            // Another relay was here, and its progress counts. Consumers skip the events that both published.
            self.forget();
        }
        self.unsaved.clear();
        Ok(())
    }

    fn published_of(&self, log: LogKey) -> Position {
        self.published.get(&log).copied().unwrap_or(Position::START)
    }

    /// Begins the next turns, as many as there is room for.
    fn begin(&mut self, leases: &Leases) {
        while self.under_way.len() < LOGS_AT_ONCE
            && let Some(log) = self.round_robin.next()
        {
            if !leases.covers(log) {
                // The lease may come back to this process, and the log need not move again.
                self.behind.remove(&log);
                self.cursor.forget();
                continue;
            }
            let Some((name, _)) = self.behind.get(&log).cloned() else { continue };
            let (reader, publisher) = (self.reader.clone(), Arc::clone(&self.publisher));
            let (reads, from) = (Arc::clone(&self.reads), self.published_of(log));
            self.under_way.spawn(async move { publish_page(&reader, &publisher, &reads, &name, from).await });
        }
    }

    fn finish(&mut self, page: Result<PublishedPage, JoinError>) {
        // Nothing is cancelled that could still be joined.
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
                tracing::warn!(log = %name, %error, "a log cannot be published; it is tried again");
            } else {
                tracing::debug!(log = %name, %error, "a log still cannot be published");
            }
            self.round_robin.rest(log, Instant::now() + RETRY_INTERVAL);
            return;
        }
        self.failed.remove(&log);
        let published = self.published_of(log);
        if self.behind.get(&log).is_some_and(|(_, head)| published < *head) {
            self.round_robin.wait(log);
        } else {
            self.behind.remove(&log);
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
        reader.read(log, from, PAGE).await
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
