//! The engine: applies the events of a log to a build from the store. `feed` does so from any other source.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use recount_core::{LogKey, LogName, Position, RecordedEvent, Tip};
use recount_postgres::{Database, is_undefined_table};
use recount_store::{LogReader, MovedLog, StoreError};

use crate::follow::announce::Announcer;
use crate::follow::apply::{self, Applied, ApplyFailure, Attempt};
use crate::follow::progress::{self, Progress, Selection, Stopped};
use crate::follow::status::Status;
use crate::projection::{Projection, schema_of};

/// Events per transaction: enough to spread the cost of a commit and of a statement, few enough that a batch takes
/// well under a second and some megabytes.
pub(crate) const BATCH_EVENTS_MAX: u32 = 2_000;
/// Events of one log per turn. After that, other logs get a turn, or the process ends.
pub(crate) const TURN_EVENTS_MAX: i64 = 4 * BATCH_EVENTS_MAX as i64;

/// Brings one build forward. Cheap to clone.
pub struct ProjectionEngine<P>(Arc<Inner<P>>);

struct Inner<P> {
    projection: P,
    schema: String,
    reader: LogReader,
    database: Database,
    /// The last known tip of the build in each log. It is a hint: the true one is in the database, and each transaction
    /// compares and sets it.
    tips: Mutex<HashMap<LogKey, Tip>>,
    announcer: Announcer,
    status: Status,
}

/// The state of a log after a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedOutcome {
    At(Position),
    /// An event cannot be applied, or the log has diverged: see the status.
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

impl CatchUpError {
    /// Whether only this log has the error, so that others can be brought forward meanwhile.
    pub(crate) fn concerns_one_log(&self) -> bool {
        match self {
            CatchUpError::Store(error) => !error.retryable(),
            CatchUpError::Apply(failure) => failure.is_refusal(),
            CatchUpError::Gone { .. } => false,
        }
    }
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
    /// `database` is for the read models, which may be in another database than the log. Must be called within a tokio
    /// runtime.
    pub fn new(projection: P, reader: LogReader, database: impl Into<Database>) -> ProjectionEngine<P> {
        let database = database.into();
        let schema = schema_of(&projection);
        ProjectionEngine(Arc::new(Inner {
            projection,
            reader,
            tips: Mutex::default(),
            announcer: Announcer::start(database.clone()),
            status: Status::new(&schema),
            schema,
            database,
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

    pub(crate) fn database(&self) -> &Database {
        &self.0.database
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
        self.known_tip(log).map_or(Position::START, |tip| tip.position)
    }

    fn known_tip(&self, log: LogKey) -> Option<Tip> {
        self.tips().get(&log).copied()
    }

    /// Remembers where the build is. Without an event it is where the log begins, which the store knows.
    fn remember(&self, log: LogKey, tip: Option<Tip>) {
        let mut tips = self.tips();
        match tip {
            Some(tip) => drop(tips.insert(log, tip)),
            None if tips.get(&log).is_some_and(|tip| tip.position > Position::START) => {
                tips.remove(&log);
            }
            None => {}
        }
    }

    /// Where the build is in the log; `None` if the build has no event of the log and the log does not exist.
    pub(crate) async fn tip(&self, name: &LogName) -> Result<Option<Tip>, CatchUpError> {
        let log = name.key();
        if let Some(tip) = self.known_tip(log) {
            return Ok(Some(tip));
        }
        self.refresh(Selection::of(&[log.0])).await?;
        if let Some(tip) = self.known_tip(log) {
            return Ok(Some(tip));
        }
        let Some(found) = self.0.reader.log(log).await?.filter(|found| found.name == *name) else {
            return Ok(None);
        };
        let origin = Tip::origin(found.id, &found.name);
        self.remember(log, Some(origin));
        Ok(Some(origin))
    }

    /// Reads the progress of the build again: other processes move it, stop it or remake it, and a crash of the database
    /// may move it back.
    pub(crate) async fn refresh(
        &self,
        selection: Selection<'_>,
    ) -> Result<HashMap<LogKey, Progress>, CatchUpError> {
        let stored = progress::read(&self.0.database, &self.0.schema, selection).await.map_err(|error| {
            if is_undefined_table(&error) {
                CatchUpError::Gone { build: self.0.schema.clone() }
            } else {
                CatchUpError::Apply(error.into())
            }
        })?;
        for log in selection.logs.iter().map(|log| LogKey(*log)).filter(|log| !stored.contains_key(log)) {
            self.remember(log, None);
            self.status().observe(log, None);
        }
        for (log, progress) in &stored {
            self.remember(*log, progress.tip);
            self.status().observe(*log, Some(progress));
        }
        Ok(stored)
    }

    /// Applies events from the store up to this position, or up to the end of the log.
    ///
    /// If the store does not have the log that the build was made from, the log stops.
    pub async fn catch_up(&self, name: &LogName, until: Position) -> Result<FeedOutcome, CatchUpError> {
        let log = name.key();
        let tip = self.tip(name).await?;
        // Only now: what was not known of the log has been read.
        if self.status().is_stopped(log) {
            return Ok(FeedOutcome::Stopped);
        }
        let Some(mut tip) = tip else { return Ok(FeedOutcome::At(Position::START)) };
        let mut read = self.read(log, tip, until).await;
        loop {
            let events = match read {
                Ok(events) => events,
                Err(StoreError::Diverged(_)) => match self.diverged(name, tip).await? {
                    Some(outcome) => return Ok(outcome),
                    None => Vec::new(),
                },
                Err(error) => return Err(error.into()),
            };
            let Some(last) = events.last().map(Tip::at) else {
                match self.tip(name).await? {
                    // Otherwise the hint was wrong.
                    Some(now) if now != tip => tip = now,
                    _ => return Ok(FeedOutcome::At(tip.position)),
                }
                read = self.read(log, tip, until).await;
                continue;
            };
            // The next batch is read while this one is written.
            let (applied, next) = tokio::join!(self.apply(name, tip, &events), self.read(log, last, until));
            match applied? {
                Applied::Stored(stored) if stored == last => (tip, read) = (last, next),
                // The hint was wrong: another process moved the build, or a crash moved it back.
                Applied::Stored(_) | Applied::Elsewhere(_) => {
                    let Some(now) = self.tip(name).await? else {
                        return Ok(FeedOutcome::At(Position::START));
                    };
                    tip = now;
                    read = self.read(log, tip, until).await;
                }
                Applied::Stopped(..) => return Ok(FeedOutcome::Stopped),
                Applied::Busy => return Ok(FeedOutcome::Busy),
            }
        }
    }

    /// Stops a log whose tip is not that of the build although it is not behind it, if the log does not contain what the
    /// build has.
    pub(crate) async fn compare(&self, log: &MovedLog) -> Result<(), CatchUpError> {
        let Some(ours) = self.known_tip(log.key).filter(|tip| tip.position > Position::START) else {
            return Ok(());
        };
        let status = self.status();
        // What is ahead is read, and reading tells; a stopped log is not read.
        let is_read = log.tip.position > ours.position && !status.is_stopped(log.key);
        if log.tip == ours || is_read || status.is_diverged(log.key) {
            return Ok(());
        }
        if !self.0.reader.contains(log.key, ours).await? {
            self.diverged(&log.name, ours).await?;
        }
        Ok(())
    }

    /// Stops a log that the store does not have any more.
    pub(crate) async fn compare_missing(&self, log: LogKey, progress: &Progress) -> Result<(), CatchUpError> {
        if let Some(ours) = progress.tip
            && !self.status().is_diverged(log)
            && !self.0.reader.contains(log, ours).await?
        {
            self.diverged(&progress.name, ours).await?;
        }
        Ok(())
    }

    /// Stops the log durably: the store does not contain this tip of the build. `None` if the build is elsewhere, so that
    /// the caller has to look again.
    async fn diverged(&self, name: &LogName, tip: Tip) -> Result<Option<FeedOutcome>, CatchUpError> {
        let (inner, log) = (&*self.0, name.key());
        if tip.position == Position::START {
            // Nothing is applied, so nothing is wrong: the log was created again.
            self.tips().remove(&log);
            return Ok(None);
        }
        let stopped = Stopped::diverged(name, tip);
        if apply::record_stop(&inner.database, &inner.schema, name, tip, &stopped).await? {
            self.announce();
            inner.status.stopped(name, &stopped);
            return Ok(Some(FeedOutcome::Stopped));
        }
        self.refresh(Selection::of(&[log.0])).await?;
        if inner.status.is_stopped(log) {
            return Ok(Some(FeedOutcome::Stopped));
        }
        Ok((self.known_tip(log) == Some(tip)).then_some(FeedOutcome::Busy))
    }

    /// The events after a tip, up to a position.
    async fn read(&self, log: LogKey, tip: Tip, until: Position) -> Result<Vec<RecordedEvent>, StoreError> {
        let after = tip.position;
        let limit = u32::try_from(until.0 - after.0).unwrap_or(if until > after { u32::MAX } else { 0 });
        match limit.min(BATCH_EVENTS_MAX) {
            0 => Ok(Vec::new()),
            limit => self.0.reader.read_after(log, tip, limit).await,
        }
    }

    /// Applies events that were verified to follow the tip.
    pub(crate) async fn apply(
        &self,
        name: &LogName,
        tip: Tip,
        events: &[RecordedEvent],
    ) -> Result<Applied, CatchUpError> {
        let inner = &*self.0;
        let attempt = Attempt {
            database: &inner.database,
            projection: &inner.projection,
            schema: &inner.schema,
            name,
            from: tip,
            committed: &|events| {
                inner.announcer.notify();
                inner.status.applied(events as u64);
            },
        };
        let applied = apply::apply(&attempt, events).await?;
        match &applied {
            Applied::Busy => {}
            Applied::Stored(tip) => self.remember(name.key(), Some(*tip)),
            Applied::Elsewhere(tip) => self.remember(name.key(), *tip),
            Applied::Stopped(tip, stopped) => {
                self.remember(name.key(), *tip);
                inner.status.stopped(name, stopped);
            }
        }
        Ok(applied)
    }

    fn tips(&self) -> MutexGuard<'_, HashMap<LogKey, Tip>> {
        // Poisoned means that another task panicked between plain map operations. At worst, a hint is wrong.
        self.0.tips.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
