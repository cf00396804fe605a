//! The worker: looks for what is due, gives each log its turn, and rests until there is something to do.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use recount_core::{Environment, LogKey, LogName};
use recount_store::{Deadline, LogReader, StoreError};
use tokio::sync::Semaphore;
use tokio::task::{self, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use super::Pace;
use super::retries::Retries;
use super::turn::{self, Due, Turn};
use crate::CommandEngine;
use crate::domain::Domain;
use crate::submission::SubmitError;

/// Deadlines that are read at a time: the most of a log's turn.
const PAGE: u32 = 4_096;
/// Pages of one look; the next one goes on where it ended. This bounds what waits in memory: while a turn waits for a
/// place there is no look.
const PAGES_PER_LOOK_MAX: usize = 4;
/// Logs that have their turn at a time. One whose commands hang keeps one place for as long as a command's patience.
const LOGS_MAX: usize = 16;
/// A host that has vanished answers nothing, not even an error.
const LOOK_TIMEOUT: Duration = Duration::from_secs(10);
/// However much is due, looking takes at most a third of the time.
const REST_TO_LOOK_MIN: u32 = 2;
/// Deadlines that fall due one right after the other are worked off together.
const REST_MIN: Duration = Duration::from_millis(25);
/// The longest that a log is set aside.
const ASIDE_MAX: Duration = Duration::from_secs(10);

/// What works off deadlines in this process.
#[derive(Debug)]
pub(crate) struct Worker<D: Domain> {
    engine: CommandEngine<D>,
    environment: Environment,
    pace: Pace,
    retries: Retries,
    /// Where the next look goes on; `None` is at the first deadline.
    cursor: Option<Deadline>,
    turns: JoinSet<Turn>,
    running: HashMap<LogKey, (task::Id, LogName)>,
    places: Arc<Semaphore>,
    aside: HashMap<LogKey, Aside>,
    seed: RandomState,
}

/// A log whose commands could not be taken.
#[derive(Debug)]
struct Aside {
    until: Instant,
    wait: Duration,
}

/// What a look has found.
#[derive(Debug)]
struct Found {
    /// How long nothing more is to be done, as far as it knows.
    rest: Duration,
    /// Whether something waits for the end of a turn.
    more: bool,
}

impl<D: Domain> Worker<D> {
    pub(crate) fn new(engine: CommandEngine<D>, environment: Environment, pace: Pace) -> Worker<D> {
        Worker {
            engine,
            environment,
            pace,
            retries: Retries::default(),
            cursor: None,
            turns: JoinSet::new(),
            running: HashMap::new(),
            places: Arc::new(Semaphore::new(LOGS_MAX)),
            aside: HashMap::new(),
            seed: RandomState::new(),
        }
    }

    pub(crate) async fn work(&mut self) -> Infallible {
        loop {
            let started = Instant::now();
            let looked = timeout(LOOK_TIMEOUT, self.look()).await;
            let found = looked.unwrap_or_else(|_elapsed| Err(gone())).unwrap_or_else(|error| {
                tracing::warn!(%error, source = ?error, "what is due cannot be looked up; it is tried again");
                Found { rest: self.pace.retry_first, more: false }
            });
            self.rest(&found, (started.elapsed() * REST_TO_LOOK_MIN).max(REST_MIN)).await;
        }
    }

    /// Waits until it is time to look again: when something waits for the end of a turn, after the next one.
    async fn rest(&mut self, found: &Found, at_least: Duration) {
        let earliest = Instant::now() + at_least;
        let mut until = earliest.max(Instant::now() + found.rest);
        loop {
            tokio::select! {
                Some(turn) = self.turns.join_next() => {
                    self.finish(turn);
                    if found.more {
                        until = earliest;
                    }
                }
                () = sleep_until(until), if self.turns.len() <= LOGS_MAX => return,
            }
        }
    }

    /// Goes through what is due, as far as one look goes, and starts a turn for every log that has something to try.
    async fn look(&mut self) -> Result<Found, StoreError> {
        let now = self.environment.now();
        let store: LogReader = self.engine.reader().clone();
        let first = store.next_deadline(None).await?;
        let late = first.and_then(|first| (now - first).to_std().ok()).unwrap_or_default();
        metrics::gauge!("recount_deadlines_late_seconds").set(late.as_secs_f64());
        let mut found = Found { rest: self.pace.poll, more: false };
        for _ in 0..PAGES_PER_LOOK_MAX {
            let page = store.due_deadlines(now, self.cursor.as_ref(), PAGE).await?;
            let up_to = page.last().filter(|_| page.len() == PAGE as usize).cloned();
            self.retries.forget_all_but(&page, self.cursor.as_ref(), up_to.as_ref());
            self.cursor = up_to;
            self.start_turns(page, now, &mut found);
            if self.cursor.is_none() {
                break;
            }
        }
        if self.cursor.is_some() {
            found.rest = Duration::ZERO;
        } else if let Some(next) = store.next_deadline(Some(now)).await? {
            found.rest = found.rest.min((next - self.environment.now()).to_std().unwrap_or_default());
        }
        self.forget_aside();
        metrics::gauge!("recount_deadlines_stuck")
            .set(u32::try_from(self.retries.stuck()).unwrap_or(u32::MAX));
        let looked_at = (now - DateTime::UNIX_EPOCH).to_std().unwrap_or_default();
        metrics::gauge!("recount_deadlines_last_look_seconds").set(looked_at.as_secs_f64());
        Ok(found)
    }

    fn start_turns(&mut self, page: Vec<Deadline>, now: DateTime<Utc>, found: &mut Found) {
        let started = Instant::now();
        let mut turns: BTreeMap<LogKey, Vec<Due>> = BTreeMap::new();
        for deadline in page {
            let log = deadline.log;
            if self.aside.get(&log).is_some_and(|aside| aside.until > started) {
                continue;
            }
            let Some(due) = self.retries.when_due(deadline, started) else { continue };
            if self.running.contains_key(&log) {
                found.more = true;
                continue;
            }
            let left = self.left_to_others(&due.deadline, now);
            if left.is_zero() {
                turns.entry(log).or_default().push(due);
            } else {
                found.rest = found.rest.min(left);
            }
        }
        for (log, due) in turns {
            let Some(name) = due.first().map(|due| due.deadline.log_name.clone()) else { continue };
            let turn = turn::take(self.engine.clone(), self.places.clone(), name.clone(), due);
            self.running.insert(log, (self.turns.spawn(turn).id(), name));
        }
    }

    /// How long a deadline is still left to the processes that write its log.
    fn left_to_others(&self, deadline: &Deadline, now: DateTime<Utc>) -> Duration {
        let overdue = (now - deadline.due_at).to_std().unwrap_or_default();
        let share = u32::from(self.seed.hash_one(deadline.log.0).to_be_bytes()[0]);
        let head_start = self.pace.head_start + self.pace.head_start / 2 / 256 * share;
        let left = head_start.saturating_sub(overdue);
        if left.is_zero() || self.engine.has_writer(&deadline.log_name) { Duration::ZERO } else { left }
    }

    fn finish(&mut self, turn: Result<Turn, JoinError>) {
        let turn = turn.unwrap_or_else(|error| {
            tracing::error!(%error, "working off what is due ended in a panic");
            let ended = self.running.values().find(|(id, _)| *id == error.id()).map(|(_, log)| log.clone());
            let log = ended.expect("every running turn is noted");
            Turn { log, worked: Vec::new(), stopped_by: Some(SubmitError::Internal) }
        });
        self.running.remove(&turn.log.key());
        let now = Instant::now();
        for (deadline, verdict) in turn.worked {
            self.retries.note(deadline, verdict, now, &self.pace);
        }
        match turn.stopped_by {
            Some(error) => self.set_aside(&turn.log, &error, now),
            None => drop(self.aside.remove(&turn.log.key())),
        }
    }

    /// Leaves a log alone for a while: twice as long as the time before, if it had no good turn since.
    fn set_aside(&mut self, log: &LogName, error: &SubmitError, now: Instant) {
        let wait = self.aside.get(&log.key()).map_or(self.pace.retry_first, |aside| aside.wait * 2);
        let wait = wait.min(ASIDE_MAX).min(self.pace.retry_max);
        tracing::warn!(%log, %error, ?wait, "a log takes no commands for what is due; it is tried again");
        self.aside.insert(log.key(), Aside { until: now + wait, wait });
    }

    /// Forgets the logs that have had nothing to try for a while since they were set aside.
    fn forget_aside(&mut self) {
        let now = Instant::now();
        self.aside.retain(|log, aside| aside.until + ASIDE_MAX > now || self.running.contains_key(log));
    }
}

fn gone() -> StoreError {
    StoreError::Unavailable(sqlx::Error::PoolTimedOut)
}
