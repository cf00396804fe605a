//! The engine: brings one log of a build forward, by what a feed brings and by what the store has.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use recount_event_store::{EventStore, StoreError};
use recount_events::{LogKey, LogName, Position, RecordedEvent};
use sqlx::PgPool;
use tokio::time::{Instant, sleep};

use super::announce::Announcer;
use super::apply::{self, Applied, ApplyFailure, Attempt};
use super::progress;
use super::projection::{Projection, schema_of};
use super::status::Status;

/// Events per transaction: enough to spread the cost of a commit and of a statement, few enough that a batch takes
/// well under a second and some megabytes.
pub(crate) const BATCH_EVENTS_MAX: u32 = 2_000;
/// How long a log may be in another process's hands before its events are left to the next sweep.
const BUSY_TIME_MAX: Duration = Duration::from_secs(5);
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// One build and everything that is needed to bring it forward. Cheap to clone.
pub struct Engine<P>(Arc<Parts<P>>);

struct Parts<P> {
    projection: P,
    schema: String,
    store: EventStore,
    pool: PgPool,
    /// Where the build is believed to be in each log. A hint: the truth is compared and set in each transaction.
    applied: Mutex<HashMap<LogKey, Position>>,
    announcer: Announcer,
    status: Status,
}

/// Where a call left a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    At(Position),
    /// An event cannot be applied: see the status.
    Stopped,
    /// Another process has the log in its hands.
    Busy,
}

/// What held a log up. Nothing is lost: the same call goes on where this one ended.
#[derive(Debug, thiserror::Error)]
pub enum Setback {
    #[error("the log could not be read")]
    Store(#[from] StoreError),
    #[error(transparent)]
    Apply(#[from] ApplyFailure),
    #[error(
        "the build `{build}` is not there any more: that of a newer program has taken its place, or somebody dropped it"
    )]
    Gone { build: String },
}

impl<P> Clone for Engine<P> {
    fn clone(&self) -> Engine<P> {
        Engine(self.0.clone())
    }
}

impl<P> fmt::Debug for Engine<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("schema", &self.0.schema).finish_non_exhaustive()
    }
}

impl<P: Projection> Engine<P> {
    /// The read models may live in another database than the log. Must be called within a tokio runtime.
    pub fn new(projection: P, store: EventStore, pool: PgPool) -> Engine<P> {
        let schema = schema_of(&projection);
        Engine(Arc::new(Parts {
            projection,
            store,
            applied: Mutex::default(),
            announcer: Announcer::start(pool.clone()),
            status: Status::new(&schema),
            schema,
            pool,
        }))
    }

    pub fn status(&self) -> &Status {
        &self.0.status
    }

    /// The name of the build, which is also its schema's.
    pub fn build(&self) -> &str {
        &self.0.schema
    }

    pub(crate) fn store(&self) -> &EventStore {
        &self.0.store
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.0.pool
    }

    pub(crate) fn projection(&self) -> &P {
        &self.0.projection
    }

    /// Tells readers to look again.
    pub(crate) fn announce(&self) {
        self.0.announcer.moved();
    }

    /// Where the build is believed to be.
    pub(crate) fn applied(&self, log: LogKey) -> Position {
        self.believed().get(&log).copied().unwrap_or(Position::START)
    }

    /// Reads again where the build is, in these logs or in all: other processes move it, and a database that
    /// crashed may have taken it back.
    pub(crate) async fn refresh(&self, logs: Option<&[i64]>) -> Result<(), Setback> {
        let stored = progress::read(&self.0.pool, &self.0.schema, logs).await.map_err(|error| {
            if is_undefined_table(&error) {
                Setback::Gone { build: self.0.schema.clone() }
            } else {
                Setback::Apply(error.into())
            }
        })?;
        let mut believed = self.believed();
        if logs.is_none() {
            believed.clear();
        }
        believed.extend(stored.into_iter().map(|(log, progress)| (log, progress.position)));
        Ok(())
    }

    /// Brings a log forward from the store up to this position, or as far as the store has it.
    pub async fn catch_up(&self, name: &LogName, until: Position) -> Result<Outcome, Setback> {
        let log = name.key();
        if self.status().is_stopped(log) {
            return Ok(Outcome::Stopped);
        }
        let mut at = self.applied(log);
        let mut events = self.read(log, at, until).await?;
        while let Some(last) = events.last().map(|event| event.position) {
            // The next batch is read while this one is written.
            let (outcome, next) = tokio::join!(self.apply(name, &events), self.read(log, last, until));
            match outcome? {
                Outcome::At(position) if position == last => events = next?,
                // The belief was wrong: another process moved the build, or a crash took it back.
                Outcome::At(position) => events = self.read(log, position, until).await?,
                other => return Ok(other),
            }
            at = self.applied(log);
        }
        Ok(Outcome::At(at))
    }

    /// Applies what a feed brought: events of one log in rising order, with repeats of what was seen and with gaps.
    ///
    /// Gaps are read from the store. Events that the store does not have cannot be reached by the build and are
    /// left: the log in the store is the truth.
    pub async fn feed(&self, name: &LogName, events: &[RecordedEvent]) -> Result<Outcome, Setback> {
        let log = name.key();
        let patience = Instant::now() + BUSY_TIME_MAX;
        loop {
            if self.status().is_stopped(log) {
                return Ok(Outcome::Stopped);
            }
            let at = self.applied(log);
            let fresh = &events[events.partition_point(|event| event.position <= at)..];
            let outcome = match fresh.first() {
                None => return Ok(Outcome::At(at)),
                Some(first) if first.position == at.next() => self.apply(name, fresh).await?,
                Some(first) => {
                    let before = Position(first.position.0 - 1);
                    let outcome = self.catch_up(name, before).await?;
                    if let Outcome::At(position) = outcome
                        && position < before
                    {
                        tracing::warn!(
                            log = %name, missing = %position.next(), brought = %first.position,
                            "the feed is ahead of the store; its events are left"
                        );
                        return Ok(outcome);
                    }
                    outcome
                }
            };
            match outcome {
                Outcome::At(_) => {}
                Outcome::Busy if Instant::now() < patience => sleep(BUSY_PAUSE).await,
                other => return Ok(other),
            }
        }
    }

    async fn read(
        &self,
        log: LogKey,
        after: Position,
        until: Position,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        let limit = u32::try_from(until.0 - after.0).unwrap_or(if until > after { u32::MAX } else { 0 });
        match limit.min(BATCH_EVENTS_MAX) {
            0 => Ok(Vec::new()),
            limit => self.0.store.read(log, after, limit).await,
        }
    }

    async fn apply(&self, name: &LogName, events: &[RecordedEvent]) -> Result<Outcome, Setback> {
        let log = name.key();
        let parts = &*self.0;
        let attempt = Attempt {
            pool: &parts.pool,
            projection: &parts.projection,
            schema: &parts.schema,
            name,
            committed: &|events| {
                parts.announcer.moved();
                parts.status.applied(events as u64);
            },
        };
        let applied = apply::apply(&attempt, events).await?;
        let position = match &applied {
            Applied::Busy => return Ok(Outcome::Busy),
            Applied::Stored(position)
            | Applied::Stopped(position, _)
            | Applied::AlreadyStored(position)
            | Applied::Ahead(position) => *position,
        };
        self.believed().insert(log, position);
        match applied {
            Applied::Stopped(before, stopped) => {
                parts.status.stopped(name, before, &stopped);
                Ok(Outcome::Stopped)
            }
            _ => Ok(Outcome::At(position)),
        }
    }

    fn believed(&self) -> MutexGuard<'_, HashMap<LogKey, Position>> {
        // Poisoned means that a holder panicked between plain map operations: a hint at worst is wrong.
        self.0.applied.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_undefined_table(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).as_deref() == Some("42P01")
}
