//! Applying a batch: events of one log and the progress of the build, in one transaction.

use std::time::Duration;

use recount_core::{LogName, Position, RecordedEvent, Tip};
use recount_postgres::{Database, Failure};
use sqlx::PgConnection;

use crate::follow::progress::{self, Claim, StopCause, Stopped};
use crate::projection::{ApplyError, LogBatch, Projection};

/// How long beginning a transaction, or one of few short statements, may take.
const BEGIN_TIMEOUT: Duration = Duration::from_secs(5);
/// How long applying a batch may take. Batches are bounded and take milliseconds; the server ends a statement sooner.
const APPLY_TIMEOUT: Duration = Duration::from_secs(32);

/// The outcome of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// The build is at the batch's last event.
    Stored(Tip),
    /// The build is elsewhere and no event of the batch follows it, so nothing was done: it has the batch already, or the
    /// batch begins later, or it is of another history. It is at this tip; `None` if it has no event.
    Elsewhere(Option<Tip>),
    /// The build is at this tip, and the progress records why it goes no further.
    Stopped(Option<Tip>, Stopped),
    /// Another process is applying events of this log, so nothing was done.
    Busy,
}

/// The database failed. Earlier batches are not affected, and the same call may succeed later.
#[derive(Debug, thiserror::Error)]
#[error("the read models could not be written")]
pub struct ApplyFailure(#[from] sqlx::Error);

impl ApplyFailure {
    /// Whether the database understood the statement and will not accept it, for a reason that concerns these events and
    /// not the whole build.
    pub(crate) fn is_refusal(&self) -> bool {
        Failure::of(&self.0) == Failure::Data
    }
}

/// Applies consecutive events of one log, without those that the build has already.
///
/// If an event is poisoned, those before it are applied first. An event that only the database refuses, because its
/// data breaks a constraint, is found by halving the batch.
pub(crate) async fn apply<P: Projection>(
    attempt: &Attempt<'_, P>,
    events: &[RecordedEvent],
) -> Result<Applied, ApplyFailure> {
    let Some(last) = events.last().map(Tip::at) else {
        return Ok(Applied::Elsewhere(Some(attempt.from)));
    };
    let mut size_max = events.len();
    let mut reached = None;
    loop {
        match attempt.in_transaction(events, size_max).await? {
            TransactionOutcome::Stored { to, .. } if to == last => return Ok(Applied::Stored(to)),
            TransactionOutcome::Stored { to, .. } => reached = Some(to),
            TransactionOutcome::Elsewhere(tip) => return Ok(Applied::Elsewhere(tip)),
            TransactionOutcome::Diverged(tip, stopped) => return Ok(Applied::Stopped(tip, stopped)),
            TransactionOutcome::Busy => return Ok(reached.map_or(Applied::Busy, Applied::Stored)),
            TransactionOutcome::Refused(size) => size_max = size / 2,
            TransactionOutcome::Poisoned { before: size, .. } if size > 0 => size_max = size,
            TransactionOutcome::Poisoned { stopped, .. } => {
                if let Some(applied) = attempt.stop(events, stopped).await? {
                    return Ok(applied);
                }
            }
        }
    }
}

/// The outcome of one transaction.
enum TransactionOutcome {
    Stored {
        to: Tip,
        events: usize,
    },
    /// The build is at this tip, and no event of the batch follows it directly.
    Elsewhere(Option<Tip>),
    Diverged(Option<Tip>, Stopped),
    Busy,
    /// The database refuses the data of this many events, more than one.
    Refused(usize),
    /// One event is poisoned. This many events before it may be fine.
    Poisoned {
        before: usize,
        stopped: Stopped,
    },
}

/// The inputs for applying a batch, besides its events.
pub(crate) struct Attempt<'a, P> {
    pub(crate) database: &'a Database,
    pub(crate) projection: &'a P,
    pub(crate) schema: &'a str,
    pub(crate) name: &'a LogName,
    /// The tip that the events were verified to follow.
    pub(crate) from: Tip,
    /// Called after each commit, with the number of events that it made visible.
    pub(crate) committed: &'a (dyn Fn(usize) + Sync),
}

impl<P: Projection> Attempt<'_, P> {
    async fn in_transaction(
        &self,
        events: &[RecordedEvent],
        size_max: usize,
    ) -> Result<TransactionOutcome, ApplyFailure> {
        let database = self.database;
        // Alone, so that a vanished host is noticed soon.
        let mut transaction = database.bounded(BEGIN_TIMEOUT, database.begin()).await?;
        let apply = async {
            let outcome = self.within(&mut transaction, events, size_max).await?;
            if let TransactionOutcome::Stored { .. } = outcome {
                transaction.commit().await?;
            } else {
                // At once: otherwise the claim would stay until the server notices the end.
                transaction.rollback().await?;
            }
            Ok::<_, ApplyFailure>(outcome)
        };
        let outcome = database.bounded(APPLY_TIMEOUT, apply).await?;
        if let TransactionOutcome::Stored { events, .. } = outcome {
            (self.committed)(events);
        }
        Ok(outcome)
    }

    async fn within(
        &self,
        transaction: &mut PgConnection,
        events: &[RecordedEvent],
        size_max: usize,
    ) -> Result<TransactionOutcome, ApplyFailure> {
        let log = self.name.key();
        let stored = match progress::claim(transaction, self.schema, log).await? {
            Claim::At(tip) => tip,
            Claim::Diverged(tip, stopped) => return Ok(TransactionOutcome::Diverged(tip, stopped)),
            Claim::Busy => return Ok(TransactionOutcome::Busy),
        };
        let Some(from) = self.start(stored) else { return Ok(TransactionOutcome::Elsewhere(stored)) };
        let batch = following(events, from, size_max);
        let Some(to) = batch.last().map(Tip::at) else {
            return Ok(TransactionOutcome::Elsewhere(stored));
        };
        if let Err(refusal) = self.project(transaction, batch).await? {
            return Ok(refusal);
        }
        if !progress::advance(transaction, log, self.name, from, to).await? {
            // The lock should exclude other processes. If the progress has moved all the same, undo this transaction.
            return Ok(TransactionOutcome::Busy);
        }
        Ok(TransactionOutcome::Stored { to, events: batch.len() })
    }

    /// Where the build is. Before the first event the progress has no hash, and the events say what they follow.
    fn start(&self, stored: Option<Tip>) -> Option<Tip> {
        stored.or((self.from.position == Position::START).then_some(self.from))
    }

    /// Applies the batch. Failures that no retry can resolve are in the inner result.
    async fn project(
        &self,
        transaction: &mut PgConnection,
        batch: &[RecordedEvent],
    ) -> Result<Result<(), TransactionOutcome>, ApplyFailure> {
        let applied = self
            .projection
            .apply(transaction, LogBatch { log: self.name.key(), name: self.name, events: batch })
            .await;
        match applied {
            Ok(()) => Ok(Ok(())),
            Err(ApplyError::Poisoned { position, reason }) => Ok(Err(TransactionOutcome::Poisoned {
                before: batch.iter().take_while(|event| event.position < position).count(),
                stopped: Stopped { cause: StopCause::Poisoned, at: position, reason },
            })),
            Err(ApplyError::Database(error)) if is_about_data(&error) && batch.len() > 1 => {
                Ok(Err(TransactionOutcome::Refused(batch.len())))
            }
            Err(ApplyError::Database(error)) if is_about_data(&error) => {
                Ok(Err(TransactionOutcome::Poisoned {
                    before: 0,
                    stopped: Stopped {
                        cause: StopCause::Poisoned,
                        at: batch[0].position,
                        reason: format!("the database refuses its data: {}", refusal(&error)),
                    },
                }))
            }
            Err(ApplyError::Database(error)) => Err(error.into()),
        }
    }

    /// Records that the next event cannot be applied; `None` if another process has moved the progress.
    async fn stop(
        &self,
        events: &[RecordedEvent],
        stopped: Stopped,
    ) -> Result<Option<Applied>, ApplyFailure> {
        let Some(event) = events.iter().find(|event| event.position == stopped.at) else { return Ok(None) };
        let before = Tip { position: Position(event.position.0 - 1), hash: event.previous };
        let recorded = record_stop(self.database, self.schema, self.name, before, &stopped).await?;
        Ok(recorded.then(|| {
            (self.committed)(0);
            Applied::Stopped(Some(before).filter(|tip| tip.position > Position::START), stopped)
        }))
    }
}

/// Records that the build has stopped at this tip. False if it is not there, or if another process holds the log.
pub(crate) async fn record_stop(
    database: &Database,
    schema: &str,
    name: &LogName,
    tip: Tip,
    stopped: &Stopped,
) -> Result<bool, ApplyFailure> {
    database.bounded(BEGIN_TIMEOUT, try_record_stop(database, schema, name, tip, stopped)).await
}

async fn try_record_stop(
    database: &Database,
    schema: &str,
    name: &LogName,
    tip: Tip,
    stopped: &Stopped,
) -> Result<bool, ApplyFailure> {
    let mut transaction = database.begin().await?;
    let stored = progress::claim(&mut transaction, schema, name.key()).await?;
    let is_there = match stored {
        Claim::At(stored) => stored.map_or(tip.position == Position::START, |stored| stored == tip),
        Claim::Diverged(..) | Claim::Busy => false,
    };
    if is_there {
        progress::stop(&mut transaction, name.key(), name, tip, stopped).await?;
        transaction.commit().await?;
    } else {
        transaction.rollback().await?;
    }
    Ok(is_there)
}

/// The events that directly follow a tip, each the one before it, `size_max` at most.
fn following(events: &[RecordedEvent], from: Tip, size_max: usize) -> &[RecordedEvent] {
    let start = events.partition_point(|event| event.position <= from.position);
    let events = &events[start..];
    let mut tip = from;
    let consecutive = events
        .iter()
        .take_while(|event| {
            let follows = event.position == tip.position.next() && event.previous == tip.hash;
            tip = Tip::at(event);
            follows
        })
        .take(size_max)
        .count();
    &events[..consecutive]
}

/// Whether the database refused the data. What it returned and this program cannot read is another matter.
fn is_about_data(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(_) | sqlx::Error::Encode(_)) && Failure::of(error) == Failure::Data
}

fn refusal(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        other => other.to_string(),
    }
}
