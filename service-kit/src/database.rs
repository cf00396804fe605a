//! Connecting to Postgres. The queries belong to the crates that own the schemas.

use std::str::FromStr;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgPool};
use tokio::time::Instant;

/// How long to try for the first connection: when a whole stack starts, its database takes some seconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// The pause between two attempts doubles from the minimum up to the maximum.
const CONNECT_BACKOFF_MIN: Duration = Duration::from_millis(100);
const CONNECT_BACKOFF_MAX: Duration = Duration::from_secs(2);
/// How long one attempt may take: a firewall may never answer.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a request waits for a connection before the store counts as unavailable. A busy machine has been seen to take
/// three seconds to open one.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// Why connecting failed. Never contains the URL, which contains a password.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("the database URL must have the form postgres://user:password@host:port/database")]
    Url(#[source] sqlx::Error),
    #[error(
        "Postgres at {address} could not be reached within {} s; is it running, and is the address right?",
        waited.as_secs()
    )]
    Unreachable {
        address: String,
        waited: Duration,
        #[source]
        source: sqlx::Error,
    },
    #[error("Postgres at {address} refused the connection; check user, password, database and role")]
    Refused {
        address: String,
        #[source]
        source: sqlx::Error,
    },
}

/// Connects, and waits for a database that is still starting, up to a timeout.
///
/// With a role, every connection acts as that role, which can have fewer rights than the login.
/// The pool does not test connections before it hands them out: that would cost every request a round trip. A request
/// that gets a dead connection fails, and the pool drops that connection.
pub async fn connect(
    url: &SecretString,
    max_connections: u32,
    application_name: &str,
    role: Option<&str>,
) -> Result<PgPool, ConnectError> {
    connect_within(url, max_connections, application_name, role, CONNECT_TIMEOUT).await
}

/// The same with another timeout.
pub async fn connect_within(
    url: &SecretString,
    max_connections: u32,
    application_name: &str,
    role: Option<&str>,
    timeout: Duration,
) -> Result<PgPool, ConnectError> {
    let mut options = PgConnectOptions::from_str(url.expose_secret())
        .map_err(ConnectError::Url)?
        .application_name(application_name)
        .disable_statement_logging();
    if let Some(role) = role {
        options = options.options([("role", role)]);
    }
    let address = address(&options);
    let pool = PgPoolOptions::new()
        .max_connections(max_connections)
        .test_before_acquire(false)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_lazy_with(options.clone());

    let started = Instant::now();
    let mut pause = CONNECT_BACKOFF_MIN;
    loop {
        let source = match first(&options, &pool).await {
            Ok(()) => return Ok(pool),
            Err(error) => error,
        };
        if !is_transient(&source) {
            return Err(ConnectError::Refused { address, source });
        }
        let waited = started.elapsed();
        if waited >= timeout {
            return Err(ConnectError::Unreachable { address, waited, source });
        }
        if pause == CONNECT_BACKOFF_MIN {
            tracing::warn!(%address, error = %source, "Postgres is not reachable yet; trying for {timeout:?}");
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(CONNECT_BACKOFF_MAX);
    }
}

/// Opens one connection to test that it works, and then the first of the pool, so that a start does not fail later for lack
/// of a connection.
async fn first(options: &PgConnectOptions, pool: &PgPool) -> Result<(), sqlx::Error> {
    probe(options).await?;
    pool.acquire().await.map(drop)
}

async fn probe(options: &PgConnectOptions) -> Result<(), sqlx::Error> {
    let probe = async { options.connect().await?.close().await };
    tokio::time::timeout(PROBE_TIMEOUT, probe).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

fn address(options: &PgConnectOptions) -> String {
    match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    }
}

/// Whether the same attempt can succeed later although nothing is changed.
fn is_transient(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => true,
        // cannot_connect_now: it is starting or stopping. too_many_connections: others may disconnect.
        sqlx::Error::Database(error) => matches!(error.code().as_deref(), Some("57P03" | "53300")),
        _ => false,
    }
}

/// Reads, and repeats the read as long as it fails only because connections have died.
///
/// Idle connections of the pool may be dead, all of them after a restart of the database. A read that gets one drops it, so
/// there are at most as many attempts as connections. Only for reads that can be repeated.
pub async fn read_again<T, F>(pool: &PgPool, read: impl Fn() -> F) -> Result<T, sqlx::Error>
where
    F: Future<Output = Result<T, sqlx::Error>>,
{
    let mut attempts_left = pool.options().get_max_connections();
    loop {
        let outcome = read().await;
        let Err(error) = &outcome else { return outcome };
        // No free connection is another matter: the pool has already waited for one.
        let no_connection = matches!(error, sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed);
        if no_connection || attempts_left == 0 || !is_unavailable(error) {
            return outcome;
        }
        attempts_left -= 1;
    }
}

/// Whether an error means that the database is unavailable, rather than that the statement failed.
///
/// The statement may have been executed: an answer can be lost as well as a request.
pub fn is_unavailable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_) => true,
        // Class 08 connection exception, 57P0x shutdown and crash, 53300 too many connections, 25006 a standby.
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            code.starts_with("08") || code.starts_with("57P0") || code == "53300" || code == "25006"
        }),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_error_for_an_unreachable_database_shows_its_address_and_not_the_password() {
        let url = SecretString::from("postgres://user:hunter2@127.0.0.1:1/none");
        let error = connect_within(&url, 1, "test", None, Duration::ZERO).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("127.0.0.1:1"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }

    #[tokio::test]
    async fn a_malformed_url_is_refused() {
        let url = SecretString::from("not a url");
        let error = connect(&url, 1, "test", None).await.unwrap_err();
        assert!(matches!(error, ConnectError::Url(_)));
    }
}
