//! The engine: applies the events of a log to a build, from a feed and from the store.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use recount_core::{EventSink, LogKey, LogName, Position, RecordedEvent};
use recount_store::{LogReader, StoreError};
use sqlx::PgPool;
use tokio::time::{Instant, sleep};

use crate::follow::announce::Announcer;
use crate::follow::apply::{self, Applied, ApplyFailure, Attempt};
use crate::follow::progress;
use crate::follow::status::Status;
use crate::projection::{Projection, schema_of};

/// Events per transaction: enough to spread the cost of a commit and of a statement, few enough that a batch takes
/// well under a second and some megabytes.
pub(crate) const BATCH_EVENTS_MAX: u32 = 2_000;
/// How long to wait for another process that holds a log. After that, the next look at the store finds the events.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const BUSY_RETRY_INTERVAL: Duration = Duration::from_millis(20);

/// Brings one build forward. Cheap to clone.
pub struct ProjectionEngine<P>(Arc<Inner<P>>);

struct Inner<P> {
    projection: P,
    schema: String,
    reader: LogReader,
    pool: PgPool,
    /// The last known position of the build in each log. It is a hint: the true position is in the database, and each
    /// transaction compares and sets it.
    applied: Mutex<HashMap<LogKey, Position>>,
    announcer: Announcer,
    status: Status,
}

/// The state of a log after a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedOutcome {
    At(Position),
    /// An event cannot be applied: see the status.
    Stopped,
    /// Another process holds the log.
    Busy,
}

/// Why a log could not be brought forward. Nothing is lost: a retry continues from the same position.
#[derive(Debug, thiserror::Error)]
pub enum CatchUpError {
    #[error("the log could not be read")]
    Store(#[from] StoreError),
    #[error(transparent)]
    Apply(#[from] ApplyFailure),
    #[error("the build `{build}` no longer exists: a newer one has taken its place, or somebody dropped it")]
    Gone { build: String },
}

impl<P> Clone for ProjectionEngine<P> {
    fn clone(&self) -> ProjectionEngine<P> {
        ProjectionEngine(self.0.clone())
    }
}

impl<P> fmt::Debug for ProjectionEngine<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProjectionEngine").field("schema", &self.0.schema).finish_non_exhaustive()
    }
}

impl<P: Projection> ProjectionEngine<P> {
    /// `pool` is for the read models, which may be in another database than the log. Must be called within a tokio
    /// runtime.
    pub fn new(projection: P, reader: LogReader, pool: PgPool) -> ProjectionEngine<P> {
        let schema = schema_of(&projection);
        ProjectionEngine(Arc::new(Inner {
            projection,
            reader,
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

    /// The name of the build, which is also the name of its schema.
    pub fn build(&self) -> &str {
        &self.0.schema
    }

    pub(crate) fn reader(&self) -> &LogReader {
        &self.0.reader
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.0.pool
    }

    pub(crate) fn projection(&self) -> &P {
        &self.0.projection
    }

    /// Tells readers to look again.
    pub(crate) fn announce(&self) {
        self.0.announcer.notify();
    }

    /// The last known position of the build.
    pub(crate) fn applied(&self, log: LogKey) -> Position {
        self.known_positions().get(&log).copied().unwrap_or(Position::START)
    }

    /// Reads the positions of the build again, in these logs or in all: other processes move it, and a crash of the
    /// database may move it back.
    pub(crate) async fn refresh(&self, logs: Option<&[i64]>) -> Result<(), CatchUpError> {
        let stored = progress::read(&self.0.pool, &self.0.schema, logs).await.map_err(|error| {
            if is_undefined_table(&error) {
                CatchUpError::Gone { build: self.0.schema.clone() }
            } else {
                CatchUpError::Apply(error.into())
            }
        })?;
        let mut known = self.known_positions();
        if logs.is_none() {
            known.clear();
        }
        known.extend(stored.into_iter().map(|(log, progress)| (log, progress.position)));
        Ok(())
    }

    /// Applies events from the store up to this position, or up to the end of the log.
    pub async fn catch_up(&self, name: &LogName, until: Position) -> Result<FeedOutcome, CatchUpError> {
        let log = name.key();
        if self.status().is_stopped(log) {
            return Ok(FeedOutcome::Stopped);
        }
        let mut at = self.applied(log);
        let mut events = self.read(log, at, until).await?;
        while let Some(last) = events.last().map(|event| event.position) {
            // The next batch is read while this one is written.
            let (outcome, next) = tokio::join!(self.apply(name, &events), self.read(log, last, until));
            match outcome? {
                FeedOutcome::At(position) if position == last => events = next?,
                // The hint was wrong: another process moved the build, or a crash moved it back.
                FeedOutcome::At(position) => events = self.read(log, position, until).await?,
                other => return Ok(other),
            }
            at = self.applied(log);
        }
        Ok(FeedOutcome::At(at))
    }

    /// Applies events of one log from a feed, in rising order. There may be repeats and gaps.
    ///
    /// Gaps are filled from the store. Events that the store does not have are ignored: the log in the store is the
    /// source of truth.
    pub async fn apply_feed(
        &self,
        name: &LogName,
        events: &[RecordedEvent],
    ) -> Result<FeedOutcome, CatchUpError> {
        let log = name.key();
        let deadline = Instant::now() + BUSY_TIMEOUT;
        loop {
            if self.status().is_stopped(log) {
                return Ok(FeedOutcome::Stopped);
            }
            let at = self.applied(log);
            let fresh = &events[events.partition_point(|event| event.position <= at)..];
            let outcome = match fresh.first() {
                None => return Ok(FeedOutcome::At(at)),
                Some(first) if first.position == at.next() => self.apply(name, fresh).await?,
                Some(first) => {
                    let before = Position(first.position.0 - 1);
                    let outcome = self.catch_up(name, before).await?;
                    if let FeedOutcome::At(position) = outcome
                        && position < before
                    {
                        tracing::warn!(
                            log = %name, missing = %position.next(), brought = %first.position,
                            "the feed is ahead of the store; its events are ignored"
                        );
                        return Ok(outcome);
                    }
                    outcome
                }
            };
            match outcome {
                FeedOutcome::At(_) => {}
                FeedOutcome::Busy if Instant::now() < deadline => sleep(BUSY_RETRY_INTERVAL).await,
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
            limit => self.0.reader.read(log, after, limit).await,
        }
    }

    async fn apply(&self, name: &LogName, events: &[RecordedEvent]) -> Result<FeedOutcome, CatchUpError> {
        let log = name.key();
        let inner = &*self.0;
        let attempt = Attempt {
            pool: &inner.pool,
            projection: &inner.projection,
            schema: &inner.schema,
            name,
            committed: &|events| {
                inner.announcer.notify();
                inner.status.applied(events as u64);
            },
        };
        let applied = apply::apply(&attempt, events).await?;
        let position = match &applied {
            Applied::Busy => return Ok(FeedOutcome::Busy),
            Applied::Stored(position)
            | Applied::Stopped(position, _)
            | Applied::AlreadyStored(position)
            | Applied::Ahead(position) => *position,
        };
        self.known_positions().insert(log, position);
        match applied {
            Applied::Stopped(before, stopped) => {
                inner.status.stopped(name, before, &stopped);
                Ok(FeedOutcome::Stopped)
            }
            _ => Ok(FeedOutcome::At(position)),
        }
    }

    fn known_positions(&self) -> MutexGuard<'_, HashMap<LogKey, Position>> {
        // Poisoned means that another task panicked between plain map operations. At worst, a hint is wrong.
        self.0.applied.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P: Projection> EventSink for ProjectionEngine<P> {
    type Error = CatchUpError;

    async fn feed(&self, log: &LogName, events: &[RecordedEvent]) -> Result<(), CatchUpError> {
        match self.apply_feed(log, events).await {
            // A stopped log, or one that another process holds, is not fed again: the repair applies its events.
            Ok(_) => {
                self.status().mark_healthy();
                Ok(())
            }
            Err(error) => {
                self.status().failed(&error);
                Err(error)
            }
        }
    }

    fn count_unreadable(&self, records: usize) {
        metrics::counter!("recount_projection_rejected_records_total", "build" => self.build().to_owned())
            .increment(records as u64);
    }
}

fn is_undefined_table(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).as_deref() == Some("42P01")
}
