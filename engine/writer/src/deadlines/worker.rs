//! The worker: looks for due deadlines, gives each log a turn, and rests until there is more to do.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use recount_core::{LogKey, LogName};
use recount_store::{Deadline, LogReader, NextDeadline, StoreError};
use tokio::sync::Semaphore;
use tokio::task::{self, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use super::Pace;
use super::retries::Retries;
use super::turn::{self, DueDeadline, Turn};
use crate::CommandEngine;
use crate::domain::Domain;
use crate::submission::SubmitError;

/// Deadlines that are read with one query, and so the most that one turn can have.
const PAGE_DEADLINES_MAX: u32 = 4_096;
/// Pages per look; the next look continues after them. This limits the memory for waiting deadlines, because there is
/// no look while a turn waits for a permit.
const PAGES_PER_LOOK_MAX: usize = 4;
/// Logs that have their turn at the same time. A log whose commands hang keeps its permit until they time out.
const CONCURRENT_LOGS_MAX: usize = 16;
/// How long a look may take: a host that has vanished does not even return an error.
const LOOK_TIMEOUT: Duration = Duration::from_secs(10);
/// The worker rests at least this many times as long as its look took, so that looking takes a third of the time at
/// most.
const REST_PER_LOOK: u32 = 2;
/// The shortest rest: deadlines that fall due shortly after one another get their commands together.
const REST_INTERVAL: Duration = Duration::from_millis(25);
/// The longest pause of a log that failed.
const BACKOFF_MAX: Duration = Duration::from_secs(10);

/// Submits the commands of due deadlines in this process.
#[derive(Debug)]
pub(crate) struct Worker<D: Domain> {
    engine: CommandEngine<D>,
    pace: Pace,
    retries: Retries,
    /// The last deadline of the previous look; `None` if the next look starts at the first deadline.
    cursor: Option<Deadline>,
    turns: JoinSet<Turn>,
    running: HashMap<LogKey, (task::Id, LogName)>,
    turn_permits: Arc<Semaphore>,
    backoffs: HashMap<LogKey, LogBackoff>,
    seed: RandomState,
}

/// The pause of a log that failed.
#[derive(Debug)]
struct LogBackoff {
    until: Instant,
    pause: Duration,
}

/// The result of a look.
#[derive(Debug)]
struct LookOutcome {
    /// How long there is nothing to do, as far as the look knows.
    rest: Duration,
    /// Whether a deadline waits for the end of a turn.
    waits_for_turn: bool,
}

impl<D: Domain> Worker<D> {
    pub(crate) fn new(engine: CommandEngine<D>, pace: Pace) -> Worker<D> {
        Worker {
            engine,
            pace,
            retries: Retries::default(),
            cursor: None,
            turns: JoinSet::new(),
            running: HashMap::new(),
            turn_permits: Arc::new(Semaphore::new(CONCURRENT_LOGS_MAX)),
            backoffs: HashMap::new(),
            seed: RandomState::new(),
        }
    }

    pub(crate) async fn work(&mut self) -> Infallible {
        loop {
            let started = Instant::now();
            let look = timeout(LOOK_TIMEOUT, self.look()).await;
            let look = look.unwrap_or_else(|_elapsed| Err(unreachable())).unwrap_or_else(|error| {
                tracing::warn!(%error, source = ?error, "due deadlines could not be read; the worker retries");
                LookOutcome { rest: self.pace.retry_first, waits_for_turn: false }
            });
            self.rest(&look, (started.elapsed() * REST_PER_LOOK).max(REST_INTERVAL)).await;
        }
    }

    /// Waits until it is time for the next look. If a deadline waits for the end of a turn, that is after the next
    /// turn.
    async fn rest(&mut self, look: &LookOutcome, rest_min: Duration) {
        let earliest = Instant::now() + rest_min;
        let mut until = earliest.max(Instant::now() + look.rest);
        loop {
            tokio::select! {
                Some(turn) = self.turns.join_next() => {
                    self.finish(turn);
                    if look.waits_for_turn {
                        until = earliest;
                    }
                }
                () = sleep_until(until), if self.turns.len() <= CONCURRENT_LOGS_MAX => return,
            }
        }
    }

    /// Reads due deadlines, as many as one look may have, and starts a turn for every log with deadlines to try.
    async fn look(&mut self) -> Result<LookOutcome, StoreError> {
        let store: LogReader = self.engine.reader().clone();
        let NextDeadline { now, first, next } = store.next_deadline().await?;
        let late = first.and_then(|first| (now - first).to_std().ok()).unwrap_or_default();
        metrics::gauge!("recount_deadlines_late_seconds").set(late.as_secs_f64());
        let mut look = LookOutcome { rest: self.pace.poll, waits_for_turn: false };
        for _ in 0..PAGES_PER_LOOK_MAX {
            let page = store.due_deadlines(self.cursor.as_ref(), PAGE_DEADLINES_MAX).await?;
            let up_to = page.last().filter(|_| page.len() == PAGE_DEADLINES_MAX as usize).cloned();
            self.retries.forget_all_but(&page, self.cursor.as_ref(), up_to.as_ref());
            self.cursor = up_to;
            self.start_turns(page, now, &mut look);
            if self.cursor.is_none() {
                break;
            }
        }
        if self.cursor.is_some() {
            look.rest = Duration::ZERO;
        } else if let Some(next) = next {
            look.rest = look.rest.min((next - now).to_std().unwrap_or_default());
        }
        self.forget_old_backoffs();
        metrics::gauge!("recount_deadlines_stuck")
            .set(u32::try_from(self.retries.stuck()).unwrap_or(u32::MAX));
        let looked_at = (now - DateTime::UNIX_EPOCH).to_std().unwrap_or_default();
        metrics::gauge!("recount_deadlines_last_look_seconds").set(looked_at.as_secs_f64());
        Ok(look)
    }

    fn start_turns(&mut self, page: Vec<Deadline>, now: DateTime<Utc>, look: &mut LookOutcome) {
        let started = Instant::now();
        let mut turns: BTreeMap<LogKey, Vec<DueDeadline>> = BTreeMap::new();
        for deadline in page {
            let log = deadline.log;
            if self.backoffs.get(&log).is_some_and(|backoff| backoff.until > started) {
                continue;
            }
            let Some(due) = self.retries.when_due(deadline, started) else { continue };
            if self.running.contains_key(&log) {
                look.waits_for_turn = true;
                continue;
            }
            let left = self.left_to_others(&due.deadline, now);
            if left.is_zero() {
                turns.entry(log).or_default().push(due);
            } else {
                look.rest = look.rest.min(left);
            }
        }
        for (log, due) in turns {
            let Some(name) = due.first().map(|due| due.deadline.log_name.clone()) else { continue };
            let turn = turn::run(self.engine.clone(), self.turn_permits.clone(), name.clone(), due);
            self.running.insert(log, (self.turns.spawn(turn).id(), name));
        }
    }

    /// How long this process still leaves a deadline to the processes that write its log.
    fn left_to_others(&self, deadline: &Deadline, now: DateTime<Utc>) -> Duration {
        let overdue = (now - deadline.due_at).to_std().unwrap_or_default();
        let share = u32::from(self.seed.hash_one(deadline.log.0).to_be_bytes()[0]);
        let head_start = self.pace.head_start + self.pace.head_start / 2 / 256 * share;
        let left = head_start.saturating_sub(overdue);
        if left.is_zero() || self.engine.has_writer(&deadline.log_name) { Duration::ZERO } else { left }
    }

    fn finish(&mut self, turn: Result<Turn, JoinError>) {
        let turn = turn.unwrap_or_else(|error| {
            tracing::error!(%error, "a turn of a log panicked");
            let ended = self.running.values().find(|(id, _)| *id == error.id()).map(|(_, log)| log.clone());
            let log = ended.expect("every running turn is in the map");
            Turn { log, outcomes: Vec::new(), stopped_by: Some(SubmitError::Internal) }
        });
        self.running.remove(&turn.log.key());
        let now = Instant::now();
        for (deadline, outcome) in turn.outcomes {
            self.retries.note(deadline, outcome, now, &self.pace);
        }
        match turn.stopped_by {
            Some(error) => self.back_off(&turn.log, &error, now),
            None => drop(self.backoffs.remove(&turn.log.key())),
        }
    }

    /// Pauses a log: twice as long as the last time, unless a turn has succeeded since.
    fn back_off(&mut self, log: &LogName, error: &SubmitError, now: Instant) {
        let pause = self.backoffs.get(&log.key()).map_or(self.pace.retry_first, |backoff| backoff.pause * 2);
        let pause = pause.min(BACKOFF_MAX).min(self.pace.retry_max);
        tracing::warn!(%log, %error, ?pause, "the deadlines of a log could not get their commands; the log is retried");
        self.backoffs.insert(log.key(), LogBackoff { until: now + pause, pause });
    }

    /// Forgets the pauses that have been over for a while without a new turn of the log.
    fn forget_old_backoffs(&mut self) {
        let now = Instant::now();
        self.backoffs
            .retain(|log, backoff| backoff.until + BACKOFF_MAX > now || self.running.contains_key(log));
    }
}

fn unreachable() -> StoreError {
    StoreError::Unavailable(sqlx::Error::PoolTimedOut)
}
