//! Applying a batch: events of one log and the progress of the build, in one transaction.

use recount_core::{LogName, Position, RecordedEvent};
use sqlx::{PgConnection, PgPool};

use crate::follow::progress::{self, Claim, Stopped};
use crate::projection::{ApplyError, LogBatch, Projection};

/// The outcome of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// The build is at the batch's last position.
    Stored(Position),
    /// The build already has the batch, so nothing was done. It is at this position.
    AlreadyStored(Position),
    /// The build is at this position and the batch does not begin at the next one, so nothing was done.
    Ahead(Position),
    /// The events before one event were applied, and that event cannot be. The progress records it.
    Stopped(Position, Stopped),
    /// Another process is applying events of this log, so nothing was done.
    Busy,
}

/// The database failed. Earlier batches are not affected, and the same call may succeed later.
#[derive(Debug, thiserror::Error)]
#[error("the read models could not be written")]
pub struct ApplyFailure(#[from] sqlx::Error);

/// Applies consecutive events of one log, without those that the build has already.
///
/// If an event is poisoned, those before it are applied first. An event that only the database refuses, because its
/// data breaks a constraint, is found by halving the batch.
pub(crate) async fn apply<P: Projection>(
    attempt: &Attempt<'_, P>,
    events: &[RecordedEvent],
) -> Result<Applied, ApplyFailure> {
    let Some(last) = events.last().map(|event| event.position) else {
        return Ok(Applied::AlreadyStored(Position::START));
    };
    let mut size_max = events.len();
    let mut reached = None;
    loop {
        match attempt.in_transaction(events, size_max).await? {
            TransactionOutcome::Stored { to, .. } if to == last => return Ok(Applied::Stored(to)),
            TransactionOutcome::Stored { to, .. } => reached = Some(to),
            TransactionOutcome::Seen(position) if position >= last => {
                return Ok(Applied::AlreadyStored(position));
            }
            TransactionOutcome::Seen(position) => return Ok(Applied::Ahead(position)),
            TransactionOutcome::Busy => return Ok(reached.map_or(Applied::Busy, Applied::Stored)),
            TransactionOutcome::Refused(size) => size_max = size / 2,
            TransactionOutcome::Poisoned { before: size, .. } if size > 0 => size_max = size,
            TransactionOutcome::Poisoned { stopped, .. } => {
                if let Some(applied) = attempt.stop(stopped).await? {
                    return Ok(applied);
                }
            }
        }
    }
}

/// The outcome of one transaction.
enum TransactionOutcome {
    Stored {
        to: Position,
        events: usize,
    },
    /// The build is at this position, and no event of the batch follows it directly.
    Seen(Position),
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
    pub(crate) pool: &'a PgPool,
    pub(crate) projection: &'a P,
    pub(crate) schema: &'a str,
    pub(crate) name: &'a LogName,
    /// Called after each commit, with the number of events that it made visible.
    pub(crate) committed: &'a (dyn Fn(usize) + Sync),
}

impl<P: Projection> Attempt<'_, P> {
    async fn in_transaction(
        &self,
        events: &[RecordedEvent],
        size_max: usize,
    ) -> Result<TransactionOutcome, ApplyFailure> {
        let mut transaction = self.pool.begin().await?;
        let outcome = self.within(&mut transaction, events, size_max).await?;
        if let TransactionOutcome::Stored { events, .. } = outcome {
            transaction.commit().await?;
            (self.committed)(events);
        } else {
            // At once: otherwise the claim would stay until the connection is used again.
            transaction.rollback().await?;
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
        let from = match progress::claim(transaction, self.schema, log).await? {
            Claim::At(position) => position,
            Claim::Busy => return Ok(TransactionOutcome::Busy),
        };
        let batch = following(events, from, size_max);
        let Some(to) = batch.last().map(|event| event.position) else {
            return Ok(TransactionOutcome::Seen(from));
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
                stopped: Stopped { at: position, reason },
            })),
            Err(ApplyError::Database(error)) if is_about_data(&error) && batch.len() > 1 => {
                Ok(Err(TransactionOutcome::Refused(batch.len())))
            }
            Err(ApplyError::Database(error)) if is_about_data(&error) => {
                Ok(Err(TransactionOutcome::Poisoned {
                    before: 0,
                    stopped: Stopped {
                        at: batch[0].position,
                        reason: format!("the database refuses its data: {}", refusal(&error)),
                    },
                }))
            }
            Err(ApplyError::Database(error)) => Err(error.into()),
        }
    }

    /// Records that the next event cannot be applied; `None` if another process has moved the progress.
    async fn stop(&self, stopped: Stopped) -> Result<Option<Applied>, ApplyFailure> {
        let log = self.name.key();
        let before = Position(stopped.at.0 - 1);
        let mut transaction = self.pool.begin().await?;
        if progress::claim(&mut transaction, self.schema, log).await? != Claim::At(before) {
            transaction.rollback().await?;
            return Ok(None);
        }
        progress::stop(&mut transaction, log, self.name, before, &stopped).await?;
        transaction.commit().await?;
        (self.committed)(0);
        Ok(Some(Applied::Stopped(before, stopped)))
    }
}

/// The consecutive events that directly follow a position, `size_max` at most.
fn following(events: &[RecordedEvent], from: Position, size_max: usize) -> &[RecordedEvent] {
    let start = events.partition_point(|event| event.position <= from);
    let events = &events[start..];
    let consecutive = events
        .iter()
        .zip(from.0 + 1..)
        .take_while(|(event, expected)| event.position.0 == *expected)
        .take(size_max)
        .count();
    &events[..consecutive]
}

/// Whether the database refused the data, by SQLSTATE: a data exception or an integrity constraint violation.
fn is_about_data(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => {
            error.code().is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
        }
        // A value that could not be sent.
        sqlx::Error::Encode(_) => true,
        _ => false,
    }
}

fn refusal(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        other => other.to_string(),
    }
}
