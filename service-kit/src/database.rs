//! Connecting to Postgres. What is asked of it is the business of the crates that own the schemas.

use std::str::FromStr;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgPool};
use tokio::time::Instant;

/// How long the first connection is tried: the database of a stack that starts as a whole needs some seconds.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(30);
/// The pause between two tries grows from the first to the second.
const CONNECT_PAUSE_MIN: Duration = Duration::from_millis(100);
const CONNECT_PAUSE_MAX: Duration = Duration::from_secs(2);
/// How long one try may take: a firewall may answer nothing at all.
const PROBE_WAIT_MAX: Duration = Duration::from_secs(10);
/// How long a request waits for a connection before it is told that the store is unavailable. A machine with much to do
/// has been seen to take three seconds to make one.
const ACQUIRE_WAIT_MAX: Duration = Duration::from_secs(10);

/// Why there is no connection. Never contains the URL, which holds a password.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("the database URL is not one of the form postgres://user:password@host:port/database")]
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

/// Connects, and waits within a bound for a database that is still starting.
///
/// With a role, every connection acts as that role, which can have fewer rights than the user who logs in.
/// Connections are not tested when they are taken from the pool: that would cost every request a round trip. A
/// request that meets a dead connection fails, and the pool drops that connection.
pub async fn connect(
    url: &SecretString,
    max_connections: u32,
    application_name: &str,
    role: Option<&str>,
) -> Result<PgPool, ConnectError> {
    connect_within(url, max_connections, application_name, role, CONNECT_WAIT_MAX).await
}

/// The same with a bound of the caller's.
pub async fn connect_within(
    url: &SecretString,
    max_connections: u32,
    application_name: &str,
    role: Option<&str>,
    wait_max: Duration,
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
        .acquire_timeout(ACQUIRE_WAIT_MAX)
        .connect_lazy_with(options.clone());

    let started = Instant::now();
    let mut pause = CONNECT_PAUSE_MIN;
    loop {
        let source = match first(&options, &pool).await {
            Ok(()) => return Ok(pool),
            Err(error) => error,
        };
        if !may_pass(&source) {
            return Err(ConnectError::Refused { address, source });
        }
        let waited = started.elapsed();
        if waited >= wait_max {
            return Err(ConnectError::Unreachable { address, waited, source });
        }
        if pause == CONNECT_PAUSE_MIN {
            tracing::warn!(%address, error = %source, "Postgres is not there yet; trying for {wait_max:?}");
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(CONNECT_PAUSE_MAX);
    }
}

/// Makes one connection, only to see that it works, and then the pool's first, so that a start does not fail later for want
/// of it.
async fn first(options: &PgConnectOptions, pool: &PgPool) -> Result<(), sqlx::Error> {
    probe(options).await?;
    pool.acquire().await.map(drop)
}

async fn probe(options: &PgConnectOptions) -> Result<(), sqlx::Error> {
    let probe = async { options.connect().await?.close().await };
    tokio::time::timeout(PROBE_WAIT_MAX, probe).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

fn address(options: &PgConnectOptions) -> String {
    match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    }
}

/// Whether the same try can succeed later, with nothing changed but time.
fn may_pass(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => true,
        // cannot_connect_now: it is starting or stopping. too_many_connections: others may leave.
        sqlx::Error::Database(error) => matches!(error.code().as_deref(), Some("57P03" | "53300")),
        _ => false,
    }
}

/// Reads, and reads again as long as all that is wrong is that connections have died.
///
/// A connection from the pool may have died while nobody used it, all of them after a restart of the database. Each
/// is dropped when that is noticed, so that there are no more tries than connections. Only for what may be done twice.
pub async fn read_again<T, F>(pool: &PgPool, read: impl Fn() -> F) -> Result<T, sqlx::Error>
where
    F: Future<Output = Result<T, sqlx::Error>>,
{
    let mut tries_left = pool.options().get_max_connections();
    loop {
        let outcome = read().await;
        let Err(error) = &outcome else { return outcome };
        // No connection to be had is another matter, and was waited for.
        let away = matches!(error, sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed);
        if away || tries_left == 0 || !is_unavailable(error) {
            return outcome;
        }
        tries_left -= 1;
    }
}

/// Whether an error says that the database is away, and nothing of the statement that met it.
///
/// Such a statement may have been executed: an answer can be lost as well as a question.
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
    async fn an_unreachable_database_is_named_and_the_password_is_not() {
        let url = SecretString::from("postgres://user:hunter2@127.0.0.1:1/none");
        let error = connect_within(&url, 1, "test", None, Duration::ZERO).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("127.0.0.1:1"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }

    #[tokio::test]
    async fn a_url_that_is_none_is_refused() {
        let url = SecretString::from("not a url");
        let error = connect(&url, 1, "test", None).await.unwrap_err();
        assert!(matches!(error, ConnectError::Url(_)));
    }
}
