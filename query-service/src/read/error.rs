//! Why the read models could not answer.

use recount_service_kit::database::{is_undefined_table, sqlstate};
use sqlx::Error;

/// Why the read models could not answer.
///
/// The text of each error is a clause that clients may see. Internals are only in its source.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("there is no ledger `{ledger}`")]
    LedgerUnknown { ledger: String },
    /// The read model did not reach the position before the timeout.
    #[error("the read model of `{ledger}` is at position {position} and has not reached {at_least} yet")]
    NotReached { ledger: String, position: i64, at_least: i64 },
    /// The read model was made from another history of the log than the one in the store, so its rows are wrong.
    #[error(
        "the read model of `{ledger}` is not made from the ledger's log as it is now, and has to be remade"
    )]
    Diverged { ledger: String },
    #[error("too many requests are waiting for a position")]
    TooManyWaiters,
    #[error("too many reads of whole ledgers are running")]
    TooManyLongReads,
    /// The live views lack something that the queries need, and their successor is being built.
    #[error("the read models are being rebuilt: {events_applied} of {events} events have been applied")]
    Rebuilding { events_applied: i64, events: i64 },
    /// There are no views, or views that lack something and have no successor.
    #[error("the read models do not exist yet")]
    Missing(#[source] Option<Error>),
    /// Postgres stores no zero byte in a text, so no name contains one.
    #[error("the path or a parameter contains a zero byte, which no name has")]
    ZeroByte,
    #[error("the read models cannot be read")]
    Database(#[source] Error),
}

impl From<Error> for ReadError {
    fn from(error: Error) -> ReadError {
        const CHARACTER_NOT_IN_REPERTOIRE: &str = "22021";
        if is_undefined_table(&error) {
            return ReadError::Missing(Some(error));
        }
        match sqlstate(&error).as_deref() {
            Some(CHARACTER_NOT_IN_REPERTOIRE) => ReadError::ZeroByte,
            _ => ReadError::Database(error),
        }
    }
}
