//! What an error means: whether to try again, and whose fault it is. Decided by SQLSTATE and never by text.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::Duration;

use sqlx::Error;
use sqlx::postgres::{PgDatabaseError, PgSeverity};

use crate::database::Database;

/// What an error means for the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The same statement may succeed later. Everything about the connection is here, a failed login included: passwords
    /// are rotated, and databases are moved.
    TryAgain,
    /// The server will never accept the statement: the program and the schema disagree, or a privilege is missing.
    Statement,
    /// The server will never accept this data. The same statement with other data may succeed.
    Data,
}

impl Failure {
    pub fn of(error: &Error) -> Failure {
        match error {
            Error::Database(error) => error.code().map_or(Failure::TryAgain, |code| of_sqlstate(&code)),
            Error::Encode(_) | Error::Decode(_) | Error::ColumnDecode { .. } => Failure::Data,
            Error::Io(_)
            | Error::Tls(_)
            | Error::Protocol(_)
            | Error::PoolTimedOut
            | Error::PoolClosed
            | Error::WorkerCrashed
            | Error::BeginFailed => Failure::TryAgain,
            _ => Failure::Statement,
        }
    }

    /// Whether the same call may succeed later although nobody changes anything.
    pub fn may_pass(self) -> bool {
        self == Failure::TryAgain
    }
}

/// The errors that are lasting are listed, and all others may pass: an error that is taken for lasting is a command that
/// is refused for good, and one that is taken for passing costs an attempt.
fn of_sqlstate(code: &str) -> Failure {
    const DATA_EXCEPTION: &str = "22";
    const INTEGRITY_CONSTRAINT_VIOLATION: &str = "23";
    const PROGRAM_LIMIT_EXCEEDED: &str = "54";
    const SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION: &str = "42";
    const RAISED_BY_A_FUNCTION: &str = "P0";
    const INTERNAL_ERROR: &str = "XX";
    if is_about_the_session(code) {
        return Failure::TryAgain;
    }
    match code.get(..2) {
        Some(DATA_EXCEPTION | INTEGRITY_CONSTRAINT_VIOLATION | PROGRAM_LIMIT_EXCEEDED) => Failure::Data,
        Some(SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION | RAISED_BY_A_FUNCTION | INTERNAL_ERROR) => {
            Failure::Statement
        }
        _ => Failure::TryAgain,
    }
}

/// Whether the error is about what the driver remembers of the session, so that another connection may succeed.
fn is_about_the_session(code: &str) -> bool {
    const CACHED_PLAN_CHANGED: &str = "0A000";
    const NO_PREPARED_STATEMENT: &str = "26000";
    const DUPLICATE_PREPARED_STATEMENT: &str = "42P05";
    matches!(code, CACHED_PLAN_CHANGED | NO_PREPARED_STATEMENT | DUPLICATE_PREPARED_STATEMENT)
}

/// The SQLSTATE of an error of the server. Errors while connecting have none here: they say nothing about a statement.
pub fn sqlstate(error: &Error) -> Option<Cow<'_, str>> {
    error.as_database_error().and_then(|error| error.code())
}

/// Whether a table or view that the statement names does not exist.
pub fn is_undefined_table(error: &Error) -> bool {
    const UNDEFINED_TABLE: &str = "42P01";
    sqlstate(error).as_deref() == Some(UNDEFINED_TABLE)
}

/// Whether the statement never left: there was no connection.
pub fn sent_nothing(error: &Error) -> bool {
    matches!(error, Error::PoolTimedOut | Error::PoolClosed) || inner::<NotConnected>(error).is_some()
}

/// Whether the client's time limit has elapsed.
pub fn is_time_limit(error: &Error) -> bool {
    inner::<TimeLimit>(error).is_some()
}

/// Whether it is certain that the statement changed nothing: it was not sent, or the server undid it and said so. A
/// server that ends the session may have committed before.
pub fn rolled_back(error: &Error) -> bool {
    sent_nothing(error) || severity(error) == Some(PgSeverity::Error)
}

/// Whether the connection can be used again after this error.
pub(crate) fn keeps_connection(error: &Error) -> bool {
    let session = sqlstate(error).is_some_and(|code| is_about_the_session(&code));
    severity(error) == Some(PgSeverity::Error) && !session
}

fn severity(error: &Error) -> Option<PgSeverity> {
    let error = error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()?;
    Some(error.severity())
}

fn inner<T: StdError + 'static>(error: &Error) -> Option<&T> {
    match error {
        Error::Io(error) => error.get_ref()?.downcast_ref(),
        _ => None,
    }
}

/// There was no connection, so nothing was sent.
#[derive(Debug)]
pub(crate) struct NotConnected(Error);

impl NotConnected {
    pub(crate) fn wrap(error: Error) -> Error {
        Error::Io(io::Error::new(io::ErrorKind::NotConnected, NotConnected(error)))
    }
}

impl fmt::Display for NotConnected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no connection to the database")
    }
}

impl StdError for NotConnected {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.0)
    }
}

/// The database did not answer in time.
#[derive(Debug)]
pub(crate) struct TimeLimit(Duration);

impl TimeLimit {
    pub(crate) fn error(limit: Duration) -> Error {
        Error::Io(io::Error::new(io::ErrorKind::TimedOut, TimeLimit(limit)))
    }
}

impl fmt::Display for TimeLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the database did not answer within {:?}", self.0)
    }
}

impl StdError for TimeLimit {}

/// Reads, and repeats the read as long as it fails only because connections have died.
///
/// Idle connections of the pool may be dead, all of them after a restart of the database. A read that gets one closes it,
/// so there are at most as many attempts as connections. Only for reads that can be repeated.
pub async fn read_again<T, F>(database: &Database, read: impl Fn() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let mut attempts_left = database.connections_max();
    loop {
        let outcome = read().await;
        let Err(error) = &outcome else { return outcome };
        if attempts_left == 0 || !has_died(error) {
            return outcome;
        }
        attempts_left -= 1;
    }
}

/// Whether an established connection turned out to be dead. Waiting in vain is another matter: it has taken its time.
fn has_died(error: &Error) -> bool {
    match error {
        Error::Io(_) => !sent_nothing(error) && !is_time_limit(error),
        Error::Protocol(_) | Error::Tls(_) | Error::WorkerCrashed => true,
        _ => severity(error).is_some_and(|severity| severity != PgSeverity::Error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_meaning_of_an_error_is_in_its_code() {
        for (code, expected) in [
            ("22003", Failure::Data),
            ("23505", Failure::Data),
            ("54000", Failure::Data),
            ("42601", Failure::Statement),
            ("42501", Failure::Statement),
            ("P0001", Failure::Statement),
            ("08006", Failure::TryAgain),
            ("25006", Failure::TryAgain),
            ("25P03", Failure::TryAgain),
            ("28P01", Failure::TryAgain),
            ("3D000", Failure::TryAgain),
            ("40001", Failure::TryAgain),
            ("53200", Failure::TryAgain),
            ("53300", Failure::TryAgain),
            ("55P03", Failure::TryAgain),
            ("57014", Failure::TryAgain),
            ("57P01", Failure::TryAgain),
            ("58030", Failure::TryAgain),
            ("0A000", Failure::TryAgain),
            ("26000", Failure::TryAgain),
            ("42P05", Failure::TryAgain),
        ] {
            assert_eq!(of_sqlstate(code), expected, "{code}");
        }
    }

    #[test]
    fn what_was_not_sent_changed_nothing_and_may_pass() {
        let error = NotConnected::wrap(Error::PoolTimedOut);
        assert!(sent_nothing(&error) && rolled_back(&error) && !is_time_limit(&error));
        assert_eq!(Failure::of(&error), Failure::TryAgain);
    }

    #[test]
    fn after_a_time_limit_the_outcome_is_unknown() {
        let error = TimeLimit::error(Duration::from_secs(5));
        assert!(is_time_limit(&error) && !rolled_back(&error) && !sent_nothing(&error));
        assert!(!has_died(&error));
    }
}
