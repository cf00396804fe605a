//! Sweeps: finding all that is due, giving each log its turn, and resting until something falls due.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use recount_event_store::{Deadline, StoreError};
use recount_events::LogKey;
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};

use super::Pace;
use super::tried::{Tried, Try};
use super::turn::{self, Due, Turn};
use crate::engine::{Domain, Engine};

/// Deadlines that are read at a time.
const PAGE: u32 = 1_000;
/// Deadlines of one log in one turn; the log has another turn for the rest.
const TURN_MAX: usize = 4_096;
/// Deadlines that one sweep takes on: a bound of memory.
const SWEEP_MAX: usize = 32_768;
/// Logs that have their turn at a time. One whose commands hang keeps one place for as long as a command's patience.
const LOGS_MAX: usize = 16;
/// Looking takes at most this share of the time, also where there is much that cannot be worked off.
const REST_TO_SWEEP_MIN: u32 = 4;

/// What works off deadlines in this process.
#[derive(Debug)]
pub(super) struct Worker<D: Domain> {
    engine: Engine<D>,
    pace: Pace,
    tried: Tried,
    turns: JoinSet<Turn>,
    running: HashMap<LogKey, AbortHandle>,
    places: Arc<Semaphore>,
    /// The logs whose commands could not be taken, and until when they are left alone.
    aside: HashMap<LogKey, Instant>,
}

/// What a sweep has found.
#[derive(Debug, Default)]
struct Found {
    turns: BTreeMap<LogKey, Vec<Due>>,
    count: usize,
    /// Whether it left something for the turn after this.
    more: bool,
    /// The earliest that gets its command for the first time.
    first: Option<DateTime<Utc>>,
}

impl<D: Domain> Worker<D> {
    pub(super) fn new(engine: Engine<D>, pace: Pace) -> Worker<D> {
        Worker {
            engine,
            pace,
            tried: Tried::default(),
            turns: JoinSet::new(),
            running: HashMap::new(),
            places: Arc::new(Semaphore::new(LOGS_MAX)),
            aside: HashMap::new(),
        }
    }

    pub(super) async fn work(&mut self) -> Infallible {
        loop {
            let started = Instant::now();
            let (more, pause) = match self.sweep().await {
                Ok((more, pause)) => (more, pause.max(started.elapsed() * REST_TO_SWEEP_MIN)),
                Err(error) => {
                    tracing::warn!(%error, source = ?error, "what is due cannot be looked up; it is tried again");
                    (false, self.pace.retry_first)
                }
            };
            self.rest(more, Instant::now() + pause).await;
        }
    }

    /// Starts a turn for every log that has something due. Answers whether something is left for afterwards, and how
    /// long to rest.
    async fn sweep(&mut self) -> Result<(bool, Duration), StoreError> {
        while let Some(turn) = self.turns.try_join_next() {
            self.finish(turn);
        }
        let started = Instant::now();
        self.running.retain(|_, turn| !turn.is_finished());
        self.aside.retain(|_, until| *until > started);
        let now = (self.pace.clock)();
        let found = self.look(now).await?;
        let late = found.first.and_then(|first| (now - first).to_std().ok()).unwrap_or_default();
        metrics::gauge!("recount_deadlines_late_seconds").set(late.as_secs_f64());
        for (log, due) in found.turns {
            let turn = turn::take(self.engine.clone(), self.places.clone(), log, due);
            self.running.insert(log, self.turns.spawn(turn));
        }
        let next = self.engine.store().next_deadline(now).await?;
        let until_next = next.map(|next| (next - (self.pace.clock)()).to_std().unwrap_or_default());
        Ok((found.more, until_next.map_or(self.pace.poll, |next| next.min(self.pace.poll))))
    }

    /// Goes through all that is due, page by page, and picks what can be tried now.
    async fn look(&mut self, now: DateTime<Utc>) -> Result<Found, StoreError> {
        let started = Instant::now();
        let mut found = Found::default();
        let mut last: Option<Deadline> = None;
        self.tried.begin_sweep();
        loop {
            let page = self.engine.store().due_deadlines(now, last.as_ref(), PAGE).await?;
            let ends = page.len() < PAGE as usize;
            last = page.last().cloned().or(last);
            for deadline in page {
                self.pick(deadline, started, &mut found);
            }
            if ends {
                last = None;
                break;
            }
            if found.count >= SWEEP_MAX {
                found.more = true;
                break;
            }
        }
        self.tried.end_sweep(last.as_ref());
        metrics::gauge!("recount_deadlines_stuck").set(u32::try_from(self.tried.stuck()).unwrap_or(u32::MAX));
        Ok(found)
    }

    fn pick(&mut self, deadline: Deadline, now: Instant, found: &mut Found) {
        let log = deadline.log;
        let keyed = match self.tried.find(&deadline, now) {
            Try::First => true,
            Try::Again => false,
            Try::Later => return,
        };
        if keyed {
            found.first = found.first.or(Some(deadline.due_at));
        }
        if self.aside.contains_key(&log) {
            return;
        }
        if self.running.contains_key(&log) {
            found.more = true;
            return;
        }
        let turn = found.turns.entry(log).or_default();
        if turn.len() < TURN_MAX {
            turn.push(Due { deadline, keyed });
            found.count += 1;
        } else {
            found.more = true;
        }
    }

    /// Waits until it is time to look again: at this moment, or, if the last look left something, when half of the turns
    /// are over.
    async fn rest(&mut self, more: bool, until: Instant) {
        let started_with = self.turns.len();
        loop {
            tokio::select! {
                Some(turn) = self.turns.join_next() => self.finish(turn),
                () = sleep_until(until) => return,
            }
            if more && self.turns.len() * 2 <= started_with {
                return;
            }
        }
    }

    fn finish(&mut self, turn: Result<Turn, JoinError>) {
        let Turn { log, worked, setback } = match turn {
            Ok(turn) => turn,
            Err(error) => {
                tracing::error!(%error, "working off what is due ended in a panic");
                return;
            }
        };
        self.running.remove(&log);
        let now = Instant::now();
        for (deadline, verdict) in worked {
            self.tried.note(deadline, verdict, now, &self.pace);
        }
        if let Some(error) = setback {
            tracing::warn!(log = log.0, %error, "a log takes no commands for what is due; it is tried again");
            self.aside.insert(log, now + self.pace.retry_first);
        }
    }
}
