//! The logs that have events which are not published, and publishing them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use recount_event_store::relay::Published;
use recount_event_store::{EventStore, Moves, StoreError};
use recount_events::{LogKey, LogName, Position};
use recount_messaging::Publisher;
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, timeout_at};

use super::leases::Leases;
use super::turns::Turns;
use super::{RETRY_INTERVAL, Setback};

/// Events of a log that are read and published in its turn.
const PAGE: u32 = 1_000;
/// Logs that are published at the same time: most of a turn is waiting for the brokers.
const LOGS_AT_ONCE: usize = 16;
/// Pages that are read at the same time. The commands need connections too.
const READS_AT_ONCE: usize = 4;
/// The longest that publishing goes on before progress is noted and news are looked for.
const ROUND_TIME_MAX: Duration = Duration::from_millis(100);

/// What is left to publish.
///
/// A log that is behind waits for its turn, rests after a failure or is under way: one of them at a time, so that the
/// pages of a log follow each other.
#[derive(Debug)]
pub(super) struct Backlog {
    store: EventStore,
    publisher: Arc<Publisher>,
    reads: Arc<Semaphore>,
    moves: Moves,
    /// How far each log is published, of the logs that this process has looked at.
    published: HashMap<LogKey, Position>,
    /// What the store does not know of it yet. In order, as the store wants it.
    unnoted: BTreeMap<LogKey, Published>,
    behind: HashMap<LogKey, (LogName, Position)>,
    turns: Turns,
    under_way: JoinSet<Page>,
    /// Those that could not be published when they had their last turn.
    failed: HashSet<LogKey>,
}

/// What became of a log's turn.
#[derive(Debug)]
struct Page {
    log: LogKey,
    events: usize,
    /// The last event that is on the topic for certain, if there is a new one.
    delivered: Option<Position>,
    setback: Option<Setback>,
}

impl Backlog {
    pub(super) fn new(store: EventStore, publisher: Publisher) -> Backlog {
        let moves = Moves::new(store.clone());
        Backlog {
            store,
            publisher: Arc::new(publisher),
            reads: Arc::new(Semaphore::new(READS_AT_ONCE)),
            moves,
            published: HashMap::new(),
            unnoted: BTreeMap::new(),
            behind: HashMap::new(),
            turns: Turns::default(),
            under_way: JoinSet::new(),
            failed: HashSet::new(),
        }
    }

    /// Whether there is nothing to do until there are news, or a log has rested.
    pub(super) fn is_idle(&self) -> bool {
        self.turns.is_empty() && self.under_way.is_empty()
    }

    /// Starts from what the store says: another process may have published in the meantime.
    pub(super) fn forget(&mut self) {
        // What was under way may arrive, and is then published twice.
        self.under_way = JoinSet::new();
        self.moves.forget();
        self.published.clear();
        self.unnoted.clear();
        self.behind.clear();
        self.turns.clear();
        self.failed.clear();
    }

    /// Finds the logs that have news.
    pub(super) async fn look(&mut self, leases: &Leases) -> Result<(), StoreError> {
        let look = self.moves.look().await?;
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
                self.turns.wait(log.key);
            }
        }
        Ok(())
    }

    /// Publishes for a while, each log that is behind in its turn, and notes how far it came.
    pub(super) async fn publish(&mut self, leases: &Leases) -> Result<(), StoreError> {
        let now = Instant::now();
        let until = leases.due().min(now + ROUND_TIME_MAX);
        self.turns.wake(now);
        while Instant::now() < until {
            self.begin(leases);
            match timeout_at(until, self.under_way.join_next()).await {
                Ok(Some(page)) => self.settle(page),
                Ok(None) | Err(_) => break,
            }
        }
        let lag = self.behind.iter().map(|(log, (_, head))| head.0 - self.published_of(*log).0);
        metrics::gauge!("recount_relay_lag_events")
            .set(u32::try_from(lag.max().unwrap_or(0)).unwrap_or(u32::MAX));
        self.note().await
    }

    /// Notes how far the logs are published, all in one statement.
    pub(super) async fn note(&mut self) -> Result<(), StoreError> {
        if self.unnoted.is_empty() {
            return Ok(());
        }
        let progress: Vec<Published> = self.unnoted.values().copied().collect();
        if self.store.save_published(&progress).await? < progress.len() {
            // Another relay was here: its word counts. What both published, consumers skip.
            self.forget();
        }
        self.unnoted.clear();
        Ok(())
    }

    fn published_of(&self, log: LogKey) -> Position {
        self.published.get(&log).copied().unwrap_or(Position::START)
    }

    /// Gives those whose turn it is a turn, as many as there is room for.
    fn begin(&mut self, leases: &Leases) {
        while self.under_way.len() < LOGS_AT_ONCE
            && let Some(log) = self.turns.next()
        {
            if !leases.covers(log) {
                // The lease may come back to this process, and the log need not move again.
                self.behind.remove(&log);
                self.moves.forget();
                continue;
            }
            let Some((name, _)) = self.behind.get(&log).cloned() else { continue };
            let (store, publisher) = (self.store.clone(), Arc::clone(&self.publisher));
            let (reads, from) = (Arc::clone(&self.reads), self.published_of(log));
            self.under_way.spawn(async move { publish_page(&store, &publisher, &reads, &name, from).await });
        }
    }

    fn settle(&mut self, page: Result<Page, JoinError>) {
        // Nothing is cancelled that could still be joined.
        let Page { log, events, delivered, setback } =
            page.unwrap_or_else(|error| resume_unwind(error.into_panic()));
        if let Some(to) = delivered {
            let from = self.published_of(log);
            self.unnoted.entry(log).or_insert(Published { log, from, to }).to = to;
            self.published.insert(log, to);
            metrics::counter!("recount_relay_published_total").increment(events as u64);
        }
        if let Some(setback) = setback {
            if self.failed.insert(log) {
                tracing::warn!(log = log.0, %setback, "a log cannot be published; it is tried again");
            } else {
                tracing::debug!(log = log.0, %setback, "a log still cannot be published");
            }
            self.turns.rest(log, Instant::now() + RETRY_INTERVAL);
            return;
        }
        self.failed.remove(&log);
        let published = self.published_of(log);
        if self.behind.get(&log).is_some_and(|(_, head)| published < *head) {
            self.turns.wait(log);
        } else {
            self.behind.remove(&log);
        }
    }
}

/// Publishes what follows in the log, up to a page.
async fn publish_page(
    store: &EventStore,
    publisher: &Publisher,
    reads: &Semaphore,
    name: &LogName,
    from: Position,
) -> Page {
    let log = name.key();
    let read = {
        let _permit = reads.acquire().await.expect("nobody closes the semaphore");
        store.read(log, from, PAGE).await
    };
    let events = match read {
        Ok(events) => events,
        Err(error) => return Page { log, events: 0, delivered: None, setback: Some(error.into()) },
    };
    let outcome = publisher.publish(name, &events).await;
    let last = outcome.prefix.checked_sub(1).and_then(|last| events.get(last));
    Page {
        log,
        events: outcome.prefix,
        delivered: last.map(|event| event.position),
        setback: outcome.error.map(Setback::from),
    }
}
