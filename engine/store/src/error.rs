//! The errors of the store, and which of them a retry may resolve.

use recount_core::Tip;

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
        if is_definite_refusal(&error) { StoreError::Refused(error) } else { StoreError::Unavailable(error) }
    }

    /// The error of a statement that was sent to change the log.
    ///
    /// Only a refusal is certain. A server that reports its shutdown may have committed the change before.
    pub(crate) fn from_change(error: sqlx::Error) -> StoreError {
        if is_definite_refusal(&error) {
            StoreError::Refused(error)
        } else {
            StoreError::OutcomeUnknown(error)
        }
    }

    /// Whether the same call may succeed later although nobody changes anything.
    pub fn retryable(&self) -> bool {
        matches!(self, StoreError::Unavailable(_) | StoreError::OutcomeUnknown(_) | StoreError::ClockAhead(_))
    }
}

/// Whether the server understood the statement and will never accept it. Decided by SQLSTATE, never by text.
fn is_definite_refusal(error: &sqlx::Error) -> bool {
    const RETRYABLE_CLASSES: [&str; 7] = [
        "08", // connection exception
        "25", // invalid transaction state, read-only after a failover among them
        "40", // transaction rollback
        "53", // insufficient resources
        "55", // object not in prerequisite state
        "57", // operator intervention
        "58", // system error
    ];
    match error {
        sqlx::Error::Database(error) => {
            error.code().is_none_or(|code| !RETRYABLE_CLASSES.iter().any(|class| code.starts_with(class)))
        }
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => false,
        _ => true,
    }
}
