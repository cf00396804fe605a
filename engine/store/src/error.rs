//! The errors of the store, and which of them a retry may resolve.

use recount_core::Tip;
use recount_postgres::{Failure, rolled_back};

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing was changed, and the same call may succeed later.
    #[error("the event store cannot be reached")]
    Unavailable(#[source] sqlx::Error),
    /// The connection was lost during a change, which may or may not have been made.
    #[error("the connection to the event store was lost during a change")]
    OutcomeUnknown(#[source] sqlx::Error),
    /// Nothing was changed, and the same call will fail again.
    #[error("the event store refused the statement")]
    Refused(#[source] sqlx::Error),
    /// Nothing was changed: the events would be recorded at a time that the database's clock has not reached.
    #[error("the clock of this process is ahead of the database's: {0}")]
    ClockAhead(String),
    /// The log does not contain the event from which a reader goes on: it has lost its end, it was rewritten, or it is
    /// another log of the same name.
    #[error("the log does not contain the event at {0}: it went back or was rewritten")]
    Diverged(Tip),
    /// Two log names have the same key.
    #[error("log `{wanted}` would have the same key as log `{existing}`; choose another name")]
    KeyCollision { wanted: String, existing: String },
    /// The stored data is not data that this program writes.
    #[error("the event store contains data that cannot be read: {0}")]
    Corrupt(String),
}

impl StoreError {
    /// The error of a statement that changed nothing, or whose change does not matter.
    pub fn from_read(error: sqlx::Error) -> StoreError {
        if Failure::of(&error).may_pass() {
            StoreError::Unavailable(error)
        } else {
            StoreError::Refused(error)
        }
    }

    /// The error of a statement that was sent to change the log.
    ///
    /// An error of the statement is certain, a lock or a time limit of the server included: the server has undone it. A
    /// server that reports its shutdown may have committed the change before.
    pub(crate) fn from_change(error: sqlx::Error) -> StoreError {
        if rolled_back(&error) { StoreError::from_read(error) } else { StoreError::OutcomeUnknown(error) }
    }

    /// Whether the same call may succeed later although nobody changes anything.
    pub fn retryable(&self) -> bool {
        matches!(self, StoreError::Unavailable(_) | StoreError::OutcomeUnknown(_) | StoreError::ClockAhead(_))
    }
}
