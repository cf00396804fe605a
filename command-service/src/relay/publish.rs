//! The logs that have events which are not published, and publishing them.

use std::collections::{HashMap, HashSet};

use recount_event_store::{EventStore, Moves, StoreError};
use recount_events::{LogKey, LogName, Position};
use recount_messaging::Publisher;

use super::Setback;
use super::leases::Leases;

/// Events that are read and published at a time.
const PAGE: u32 = 1_000;
/// Pages of one log before the others have their turn.
const PAGES_PER_TURN: usize = 8;

/// What is left to publish.
#[derive(Debug)]
pub(super) struct Backlog {
    store: EventStore,
    publisher: Publisher,
    moves: Moves,
    /// How far each log is published, of the logs that this process has looked at.
    published: HashMap<LogKey, Position>,
    behind: HashMap<LogKey, (LogName, Position)>,
    /// Those that could not be published when they had their last turn.
    failed: HashSet<LogKey>,
}

impl Backlog {
    pub(super) fn new(store: EventStore, publisher: Publisher) -> Backlog {
        let moves = Moves::new(store.clone());
        Backlog {
            store,
            publisher,
            moves,
            published: HashMap::new(),
            behind: HashMap::new(),
            failed: HashSet::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.behind.is_empty()
    }

    /// Starts from what the store says: another process may have published in the meantime.
    pub(super) fn forget(&mut self) {
        self.moves.forget();
        self.published.clear();
        self.behind.clear();
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
            if self.published.get(&log.key).is_some_and(|published| *published < log.head) {
                self.behind.insert(log.key, (log.name, log.head));
            }
        }
        Ok(())
    }

    /// Publishes a turn of every log that is behind.
    pub(super) async fn publish(&mut self, leases: &Leases) {
        let mut logs: Vec<LogKey> = self.behind.keys().copied().collect();
        // A log that cannot be published must not keep the others waiting: its turn comes after theirs.
        logs.sort_by_key(|log| self.failed.contains(log));
        for log in logs {
            if leases.are_due() {
                break;
            }
            if let Err(setback) = self.publish_log(log, leases).await {
                tracing::warn!(log = log.0, %setback, "a log cannot be published; it is tried again");
                self.set_aside(log);
            } else if !self.behind.contains_key(&log) {
                self.failed.remove(&log);
            }
        }
        let lag =
            self.behind.iter().map(|(log, (_, head))| head.0 - self.published.get(log).map_or(0, |at| at.0));
        metrics::gauge!("recount_relay_lag_events")
            .set(u32::try_from(lag.max().unwrap_or(0)).unwrap_or(u32::MAX));
    }

    /// Has the log looked up again, from what the store says.
    fn set_aside(&mut self, log: LogKey) {
        self.failed.insert(log);
        self.published.remove(&log);
        self.behind.remove(&log);
        self.moves.forget();
    }

    /// Whether there are logs that could not be published when they had their last turn.
    pub(super) fn has_failed(&self) -> bool {
        !self.failed.is_empty()
    }

    async fn publish_log(&mut self, log: LogKey, leases: &Leases) -> Result<(), Setback> {
        let Some((name, head)) = self.behind.get(&log).cloned() else {
            return Ok(());
        };
        for _ in 0..PAGES_PER_TURN {
            let from = self.published.get(&log).copied().unwrap_or(Position::START);
            if from >= head {
                self.behind.remove(&log);
                return Ok(());
            }
            if !leases.covers(log) {
                // The lease may come back to this process, and the log need not move again.
                self.behind.remove(&log);
                self.moves.forget();
                return Ok(());
            }
            let events = self.store.read(log, from, PAGE).await?;
            let delivered = self.publisher.publish(&name, &events).await;
            if let Some(last) = delivered.prefix.checked_sub(1).and_then(|last| events.get(last)) {
                if !self.store.save_published(log, from, last.position).await? {
                    // Another relay was here: its word counts. What both published, consumers skip.
                    self.published.remove(&log);
                    self.behind.remove(&log);
                    self.moves.forget();
                    return Ok(());
                }
                self.published.insert(log, last.position);
                metrics::counter!("recount_relay_published_total").increment(delivered.prefix as u64);
            }
            if let Some(error) = delivered.error {
                return Err(error.into());
            }
        }
        Ok(())
    }
}
