//! The logs in which a build lags lagging the heads in the store.

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
/// Events of one log per turn. After that, other logs get a turn, or the process ends.
const TURN_EVENTS_MAX: i64 = 4 * BATCH_EVENTS_MAX as i64;
/// The first and the longest pause of a log after a failure. The pause doubles each time.
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
    /// After the token is cancelled, no log gets another turn.
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
        if look.complete {
            self.engine.refresh(None).await?;
        }
        for log in look.logs {
            if look.complete && self.is_ahead(&log).await? {
                tracing::error!(
                    log = %log.name, head = %log.head,
                    "the read models are ahead of the log, so the log has lost events: rebuild the read models"
                );
            }
            if log.head > self.engine.applied(log.key) && !self.engine.status().is_stopped(log.key) {
                let lagging = self.lagging.entry(log.key).or_insert_with(|| LaggingLog {
                    name: log.name,
                    head: log.head,
                    not_before: Instant::now(),
                    failures: 0,
                });
                lagging.head = log.head;
            }
        }
        self.drop_caught_up();
        Ok(())
    }

    /// Makes the next look compare all logs. Call it after a failure, when remembered state may be wrong.
    pub(crate) fn forget(&mut self) {
        self.cursor.forget();
    }

    pub(crate) fn logs(&self) -> &HashMap<LogKey, LaggingLog> {
        &self.lagging
    }

    /// The lagging logs whose pause is over.
    pub(crate) fn due(&self) -> Vec<LogKey> {
        let now = Instant::now();
        self.lagging.iter().filter(|(_, lagging)| lagging.not_before <= now).map(|(log, _)| *log).collect()
    }

    /// Gives each of these logs a turn, several at once. Returns whether any of them moved.
    pub(crate) async fn bring_forward(&mut self, logs: &[LogKey]) -> bool {
        let work: Vec<(LogKey, LogName, Position)> = logs
            .iter()
            .filter_map(|log| {
                let lagging = self.lagging.get(log)?;
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

    /// Whether the build is ahead of the log. The head is read again, because the first one may be older than the last
    /// batch.
    async fn is_ahead(&self, log: &MovedLog) -> Result<bool, CatchUpError> {
        let applied = self.engine.applied(log.key);
        if applied <= log.head {
            return Ok(false);
        }
        let now = self.engine.reader().log(log.key).await?;
        Ok(now.is_none_or(|now| applied > now.head))
    }

    fn note(&mut self, log: LogKey, before: Position, outcome: Result<FeedOutcome, CatchUpError>) -> bool {
        let Some(lagging) = self.lagging.get_mut(&log) else {
            return false;
        };
        match outcome {
            Ok(FeedOutcome::At(position)) if position > before => {
                lagging.failures = 0;
                self.engine.status().mark_healthy();
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
        self.lagging.retain(|log, lagging| {
            let lag = lagging.head.0 - engine.applied(*log).0;
            let keep = lag > 0 && !engine.status().is_stopped(*log);
            lag_events_max = lag_events_max.max(if keep { lag } else { 0 });
            keep
        });
        engine.status().swept(lag_events_max);
    }
}
