//! The logs in which a build is behind the store, and whose turn it is.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use recount_core::{LogKey, LogName, Position};
use recount_store::{LogCursor, MovedLogs};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::follow::engine::{CatchUpError, FeedOutcome, ProjectionEngine, TURN_EVENTS_MAX};
use crate::follow::progress::{Progress, Selection};
use crate::projection::Projection;

/// Logs that are brought forward at the same time.
const CONCURRENT_LOGS_MAX: usize = 4;
/// Logs that get a turn before the store is looked at again, so that a log that has just moved does not wait for all that
/// are far behind.
const ROUND_LOGS_MAX: usize = 16;
/// Of these, so many have waited longest, so that short turns cannot keep the long ones from coming.
const ROUND_WAITING_LOGS: usize = 4;
/// How often the progress of lagging logs is read again, which other processes bring forward too, and of how many at most:
/// of others it is learned in their turn.
const REFRESH_INTERVAL: Duration = Duration::from_secs(1);
const REFRESH_LOGS_MAX: usize = 5_000;
/// The first and the longest pause of a log after a failure. The pause doubles each time.
const BACKOFF_FIRST: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// A log in which the build lags.
#[derive(Clone, Debug)]
pub(crate) struct LaggingLog {
    pub(crate) name: LogName,
    pub(crate) head: Position,
    /// In events, when it was last known.
    lag: i64,
    turns: u32,
    last_turn_at: Instant,
    not_before: Instant,
    failures: u32,
}

impl LaggingLog {
    fn new(name: LogName, head: Position) -> LaggingLog {
        let now = Instant::now();
        LaggingLog { name, head, lag: 0, turns: 0, last_turn_at: now, not_before: now, failures: 0 }
    }
}

/// The logs in which a build lags.
pub(crate) struct LaggingLogs<P> {
    engine: ProjectionEngine<P>,
    token: CancellationToken,
    lagging: HashMap<LogKey, LaggingLog>,
    cursor: LogCursor,
    /// Whether all logs have been looked at.
    complete: bool,
    refresh_at: Instant,
}

impl<P: Projection> LaggingLogs<P> {
    /// After the token is cancelled, no log gets another turn.
    pub(crate) fn new(engine: ProjectionEngine<P>, token: CancellationToken) -> LaggingLogs<P> {
        LaggingLogs {
            cursor: LogCursor::new(engine.reader().clone()),
            engine,
            token,
            lagging: HashMap::new(),
            complete: false,
            refresh_at: Instant::now(),
        }
    }

    /// Asks the store which logs have moved, and compares them with the progress of the build. Returns whether there is
    /// more to look at.
    pub(crate) async fn look(&mut self) -> Result<bool, CatchUpError> {
        let look = self.cursor.look().await?;
        let mut keys: Vec<i64> = look.logs.iter().map(|log| log.key.0).collect();
        // Stopped logs go on if another process has remade them. Lagging ones may have been brought forward.
        keys.extend(self.engine.status().stopped_logs().iter().map(|log| log.0));
        if self.refresh_at <= Instant::now() {
            keys.extend(self.lagging.keys().map(|log| log.0).take(REFRESH_LOGS_MAX));
            self.refresh_at = Instant::now() + REFRESH_INTERVAL;
        }
        let stored = self.engine.refresh(Selection { logs: &keys, range: look.covered }).await?;
        self.find_missing(&stored, &look).await?;
        for log in look.logs {
            self.engine.compare(&log).await?;
            let is_behind = log.tip.position > self.engine.applied(log.key);
            if let Some(lagging) = self.lagging.get_mut(&log.key) {
                lagging.head = log.tip.position;
            } else if is_behind && !self.engine.status().is_stopped(log.key) {
                self.lagging.insert(log.key, LaggingLog::new(log.name, log.tip.position));
            }
        }
        self.complete |= look.complete;
        self.drop_caught_up();
        Ok(look.more)
    }

    /// Stops the logs that the build has and the store has not.
    async fn find_missing(
        &self,
        stored: &HashMap<LogKey, Progress>,
        look: &MovedLogs,
    ) -> Result<(), CatchUpError> {
        let Some((after, until)) = look.covered else { return Ok(()) };
        let found: HashSet<LogKey> = look.logs.iter().map(|log| log.key).collect();
        for (log, progress) in stored {
            if log.0 > after && log.0 <= until && !found.contains(log) {
                self.engine.compare_missing(*log, progress).await?;
            }
        }
        Ok(())
    }

    /// Makes the next looks compare all logs. Call it after a failure, when remembered state may be wrong.
    pub(crate) fn forget(&mut self) {
        self.cursor.forget();
    }

    pub(crate) fn logs(&self) -> &HashMap<LogKey, LaggingLog> {
        &self.lagging
    }

    /// The logs that get the next turns, of those whose pause is over: first those that have had the fewest turns and are
    /// least behind, and some that have waited longest.
    pub(crate) fn due(&self, is_wanted: impl Fn(LogKey) -> bool) -> Vec<LogKey> {
        let now = Instant::now();
        let mut due: Vec<(LogKey, &LaggingLog)> = self
            .lagging
            .iter()
            .map(|(log, lagging)| (*log, lagging))
            .filter(|(log, lagging)| lagging.not_before <= now && is_wanted(*log))
            .collect();
        if due.len() > ROUND_LOGS_MAX {
            due.select_nth_unstable_by_key(ROUND_WAITING_LOGS, |(_, lagging)| lagging.last_turn_at);
            due[ROUND_WAITING_LOGS..]
                .select_nth_unstable_by_key(ROUND_LOGS_MAX - ROUND_WAITING_LOGS, |(_, lagging)| {
                    (lagging.turns, lagging.lag)
                });
        }
        due.into_iter().map(|(log, _)| log).take(ROUND_LOGS_MAX).collect()
    }

    /// Gives each of these logs a turn, several at once. Returns whether any of them moved.
    pub(crate) async fn bring_forward(&mut self, logs: &[LogKey]) -> bool {
        let work: Vec<(LogKey, LogName, Position)> = logs
            .iter()
            .filter_map(|log| {
                let lagging = self.lagging.get_mut(log)?;
                lagging.turns = lagging.turns.saturating_add(1);
                lagging.last_turn_at = Instant::now();
                let turn = Position(self.engine.applied(*log).0.saturating_add(TURN_EVENTS_MAX));
                Some((*log, lagging.name.clone(), lagging.head.min(turn)))
            })
            .collect();
        let token = self.token.clone();
        let engine = self.engine.clone();
        let mut outcomes = stream::iter(work)
            .take_while(move |_| std::future::ready(!token.is_cancelled()))
            .map(move |(log, name, until)| {
                let engine = engine.clone();
                // A task each, so that several logs use several cores.
                let before = engine.applied(log);
                let task = tokio::spawn(async move { engine.catch_up(&name, until).await });
                async move { (log, before, task.await) }
            })
            .buffer_unordered(CONCURRENT_LOGS_MAX);
        let mut any_moved = false;
        while let Some(outcome) = outcomes.next().await {
            any_moved |= match outcome {
                (log, before, Ok(outcome)) => self.note(log, before, outcome),
                (log, _, Err(panicked)) => {
                    let name = self.lagging.get(&log).map(|lagging| lagging.name.as_str());
                    tracing::error!(log = name, %panicked, "a log could not be brought forward");
                    self.lagging
                        .entry(log)
                        .and_modify(|lagging| lagging.not_before = Instant::now() + BACKOFF_MAX);
                    false
                }
            };
        }
        self.drop_caught_up();
        any_moved
    }

    fn note(&mut self, log: LogKey, before: Position, outcome: Result<FeedOutcome, CatchUpError>) -> bool {
        let Some(lagging) = self.lagging.get_mut(&log) else {
            return false;
        };
        match outcome {
            Ok(FeedOutcome::At(position)) if position > before => {
                lagging.failures = 0;
                self.engine.status().log_works(log);
                true
            }
            Ok(FeedOutcome::Stopped) => true,
            Ok(FeedOutcome::At(_) | FeedOutcome::Busy) => {
                lagging.not_before = Instant::now() + BACKOFF_FIRST;
                false
            }
            Err(error) => {
                lagging.not_before =
                    Instant::now() + BACKOFF_MAX.min(BACKOFF_FIRST * 2_u32.pow(lagging.failures.min(8)));
                lagging.failures += 1;
                if error.concerns_one_log() {
                    self.engine.status().log_failed(&lagging.name, &error);
                } else {
                    self.engine.status().failed(&error);
                }
                false
            }
        }
    }

    /// Drops the logs that have caught up, and reports the lag of the others.
    pub(crate) fn drop_caught_up(&mut self) {
        let engine = &self.engine;
        let mut lag_events_max = 0;
        self.lagging.retain(|log, lagging| {
            let lag = lagging.head.0 - engine.applied(*log).0;
            lagging.lag = lag;
            let keep = lag > 0 && !engine.status().is_stopped(*log);
            if !keep {
                engine.status().log_works(*log);
            }
            lag_events_max = lag_events_max.max(if keep { lag } else { 0 });
            keep
        });
        engine.status().looked(lag_events_max, self.complete);
    }
}
