//! Finding the logs that a build is behind in, by the heads that the store has.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use recount_event_store::{MovedLog, Moves};
use recount_events::{LogKey, LogName, Position};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::catch_up::{BATCH_EVENTS_MAX, Engine, Outcome, Setback};
use super::projection::Projection;

/// Logs that are brought forward at the same time.
const CONCURRENT_LOGS_MAX: usize = 4;
/// So much of one log, then the others have their turn, or the end of the process.
const TURN_EVENTS_MAX: i64 = 4 * BATCH_EVENTS_MAX as i64;
/// After a failure a log is left alone for so long, doubled each time up to the maximum.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// A log that the build is behind in.
#[derive(Clone, Debug)]
pub(crate) struct Behind {
    pub(crate) name: LogName,
    pub(crate) head: Position,
    not_before: Instant,
    failures: u32,
}

/// What is known of the logs that a build is behind in.
pub(crate) struct Sweep<P> {
    engine: Engine<P>,
    token: CancellationToken,
    behind: HashMap<LogKey, Behind>,
    moves: Moves,
}

impl<P: Projection> Sweep<P> {
    /// Once the token is cancelled, no more logs are begun.
    pub(crate) fn new(engine: Engine<P>, token: CancellationToken) -> Sweep<P> {
        Sweep { moves: Moves::new(engine.store().clone()), engine, token, behind: HashMap::new() }
    }

    /// Asks the store which logs have moved.
    pub(crate) async fn look(&mut self) -> Result<(), Setback> {
        let look = self.moves.look().await?;
        if look.full {
            self.engine.refresh(None).await?;
        }
        for log in look.logs {
            if look.full && self.is_ahead(&log).await? {
                tracing::error!(
                    log = %log.name, head = %log.head,
                    "the read models are ahead of the log, which must have lost events: rebuild them"
                );
            }
            if log.head > self.engine.applied(log.key) && !self.engine.status().is_stopped(log.key) {
                let behind = self.behind.entry(log.key).or_insert_with(|| Behind {
                    name: log.name,
                    head: log.head,
                    not_before: Instant::now(),
                    failures: 0,
                });
                behind.head = log.head;
            }
        }
        self.settle();
        Ok(())
    }

    /// The next look compares everything: after a failure nothing that is remembered can be trusted.
    pub(crate) fn forget(&mut self) {
        self.moves.forget();
    }

    pub(crate) fn behind(&self) -> &HashMap<LogKey, Behind> {
        &self.behind
    }

    /// The logs that are due to be brought forward.
    pub(crate) fn due(&self) -> Vec<LogKey> {
        let now = Instant::now();
        self.behind.iter().filter(|(_, behind)| behind.not_before <= now).map(|(log, _)| *log).collect()
    }

    /// Gives these logs a turn each, several at once. True if any of them moved.
    pub(crate) async fn bring_forward(&mut self, logs: &[LogKey]) -> bool {
        let work: Vec<(LogKey, LogName, Position)> = logs
            .iter()
            .filter_map(|log| {
                let behind = self.behind.get(log)?;
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
                    tracing::error!(log = log.0, %panicked, "a log could not be brought forward");
                    self.behind
                        .entry(log)
                        .and_modify(|behind| behind.not_before = Instant::now() + PAUSE_MAX);
                    false
                }
            };
        }
        self.settle();
        any_moved
    }

    /// Whether more of a log is applied than it has. The head that was seen first may be older than what is applied.
    async fn is_ahead(&self, log: &MovedLog) -> Result<bool, Setback> {
        let applied = self.engine.applied(log.key);
        if applied <= log.head {
            return Ok(false);
        }
        let now = self.engine.store().log(log.key).await?;
        Ok(now.is_none_or(|now| applied > now.head))
    }

    fn note(&mut self, log: LogKey, before: Position, outcome: Result<Outcome, Setback>) -> bool {
        let Some(behind) = self.behind.get_mut(&log) else {
            return false;
        };
        match outcome {
            Ok(Outcome::At(position)) if position > before => {
                behind.failures = 0;
                self.engine.status().works();
                true
            }
            Ok(Outcome::Stopped) => true,
            Ok(Outcome::At(_) | Outcome::Busy) => {
                behind.not_before = Instant::now() + PAUSE_MIN;
                false
            }
            Err(setback) => {
                behind.not_before =
                    Instant::now() + PAUSE_MAX.min(PAUSE_MIN * 2_u32.pow(behind.failures.min(8)));
                behind.failures += 1;
                self.engine.status().failed(&setback);
                self.forget();
                false
            }
        }
    }

    /// Forgets the logs that are no longer behind, and tells how far the others are.
    pub(crate) fn settle(&mut self) {
        let engine = &self.engine;
        let mut lag_events_max = 0;
        self.behind.retain(|log, behind| {
            let lag = behind.head.0 - engine.applied(*log).0;
            let keep = lag > 0 && !engine.status().is_stopped(*log);
            lag_events_max = lag_events_max.max(if keep { lag } else { 0 });
            keep
        });
        engine.status().swept(lag_events_max);
    }
}
