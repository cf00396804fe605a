//! The logs in which a build lags behind the heads in the store.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use recount_core::{LogKey, LogName, Position};
use recount_store::{LogCursor, MovedLog};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::follow::engine::{BATCH_EVENTS_MAX, CatchUpError, FeedOutcome, ProjectionEngine};
use crate::projection::Projection;

/// Logs that are brought forward at the same time.
const CONCURRENT_LOGS_MAX: usize = 4;
/// So many events of one log, then it is the turn of another, or the process ends.
const TURN_EVENTS_MAX: i64 = 4 * BATCH_EVENTS_MAX as i64;
/// The pause of a log after a failure: at first, doubled each time, and at most.
const BACKOFF_FIRST: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// A log in which the build lags.
#[derive(Clone, Debug)]
pub(crate) struct LaggingLog {
    pub(crate) name: LogName,
    pub(crate) head: Position,
    not_before: Instant,
    failures: u32,
}

/// The logs in which a build lags.
pub(crate) struct LaggingLogs<P> {
    engine: ProjectionEngine<P>,
    token: CancellationToken,
    lagging: HashMap<LogKey, LaggingLog>,
    cursor: LogCursor,
}

impl<P: Projection> LaggingLogs<P> {
    /// Once the token is cancelled, it begins with no more logs.
    pub(crate) fn new(engine: ProjectionEngine<P>, token: CancellationToken) -> LaggingLogs<P> {
        LaggingLogs {
            cursor: LogCursor::new(engine.reader().clone()),
            engine,
            token,
            lagging: HashMap::new(),
        }
    }

    /// Asks the store which logs have moved.
    pub(crate) async fn look(&mut self) -> Result<(), CatchUpError> {
        let look = self.cursor.look().await?;
        if look.full {
            self.engine.refresh(None).await?;
        }
        for log in look.logs {
            if look.full && self.is_ahead(&log).await? {
                tracing::error!(
                    log = %log.name, head = %log.head,
                    "the read models are ahead of the log, so the log has lost events: rebuild the read models"
                );
            }
            if log.head > self.engine.applied(log.key) && !self.engine.status().is_stopped(log.key) {
                let behind = self.lagging.entry(log.key).or_insert_with(|| LaggingLog {
                    name: log.name,
                    head: log.head,
                    not_before: Instant::now(),
                    failures: 0,
                });
                behind.head = log.head;
            }
        }
        self.drop_caught_up();
        Ok(())
    }

    /// Makes the next look compare everything: after a failure nothing that is remembered can be trusted.
    pub(crate) fn forget(&mut self) {
        self.cursor.forget();
    }

    pub(crate) fn logs(&self) -> &HashMap<LogKey, LaggingLog> {
        &self.lagging
    }

    /// The logs that are due to be brought forward.
    pub(crate) fn due(&self) -> Vec<LogKey> {
        let now = Instant::now();
        self.lagging.iter().filter(|(_, behind)| behind.not_before <= now).map(|(log, _)| *log).collect()
    }

    /// Gives each of these logs a turn, several at once. Returns whether any of them moved.
    pub(crate) async fn bring_forward(&mut self, logs: &[LogKey]) -> bool {
        let work: Vec<(LogKey, LogName, Position)> = logs
            .iter()
            .filter_map(|log| {
                let behind = self.lagging.get(log)?;
                let turn = Position(self.engine.applied(*log).0.saturating_add(TURN_EVENTS_MAX));
                Some((*log, behind.name.clone(), behind.head.min(turn)))
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
                        .and_modify(|behind| behind.not_before = Instant::now() + BACKOFF_MAX);
                    false
                }
            };
        }
        self.drop_caught_up();
        any_moved
    }

    /// Whether more of a log is applied than it has. The first look at the head may be older than the last batch.
    async fn is_ahead(&self, log: &MovedLog) -> Result<bool, CatchUpError> {
        let applied = self.engine.applied(log.key);
        if applied <= log.head {
            return Ok(false);
        }
        let now = self.engine.reader().log(log.key).await?;
        Ok(now.is_none_or(|now| applied > now.head))
    }

    fn note(&mut self, log: LogKey, before: Position, outcome: Result<FeedOutcome, CatchUpError>) -> bool {
        let Some(behind) = self.lagging.get_mut(&log) else {
            return false;
        };
        match outcome {
            Ok(FeedOutcome::At(position)) if position > before => {
                behind.failures = 0;
                self.engine.status().mark_healthy();
                true
            }
            Ok(FeedOutcome::Stopped) => true,
            Ok(FeedOutcome::At(_) | FeedOutcome::Busy) => {
                behind.not_before = Instant::now() + BACKOFF_FIRST;
                false
            }
            Err(error) => {
                behind.not_before =
                    Instant::now() + BACKOFF_MAX.min(BACKOFF_FIRST * 2_u32.pow(behind.failures.min(8)));
                behind.failures += 1;
                self.engine.status().failed(&error);
                self.forget();
                false
            }
        }
    }

    /// Drops the logs that have caught up, and reports the lag of the others.
    pub(crate) fn drop_caught_up(&mut self) {
        let engine = &self.engine;
        let mut lag_events_max = 0;
        self.lagging.retain(|log, behind| {
            let lag = behind.head.0 - engine.applied(*log).0;
            let keep = lag > 0 && !engine.status().is_stopped(*log);
            lag_events_max = lag_events_max.max(if keep { lag } else { 0 });
            keep
        });
        engine.status().swept(lag_events_max);
    }
}
