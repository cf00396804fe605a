//! Connecting: the settings of every connection, and the checks at the start.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, PgPool};
use tokio::time::{Instant, sleep, timeout};

use crate::database::Database;
use crate::inspect::{self, Unfit};
use crate::limits::{ACQUIRE_TIMEOUT, Workload};

/// How long to try for the first connection: when a whole stack starts, its database takes some seconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// The pause between two attempts doubles from the minimum up to the maximum.
const CONNECT_BACKOFF_MIN: Duration = Duration::from_millis(100);
const CONNECT_BACKOFF_MAX: Duration = Duration::from_secs(2);
/// How long one attempt may take: a firewall may never answer.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECTIONS_MAX: u32 = 4;

/// How to connect.
#[derive(Clone, Debug)]
pub struct Settings<'a> {
    application: &'a str,
    pub(crate) workload: Workload,
    connections_max: u32,
    pub(crate) role: Option<&'a str>,
    timeout: Duration,
    pub(crate) allow_unsafe: bool,
}

impl<'a> Settings<'a> {
    /// The name is the one that the server shows for the connections.
    pub fn new(application: &'a str, workload: Workload) -> Settings<'a> {
        Settings {
            application,
            workload,
            connections_max: CONNECTIONS_MAX,
            role: None,
            timeout: CONNECT_TIMEOUT,
            allow_unsafe: false,
        }
    }

    #[must_use]
    pub fn connections_max(self, connections_max: u32) -> Settings<'a> {
        Settings { connections_max, ..self }
    }

    /// Every connection acts as this role, which can have fewer rights than the login.
    #[must_use]
    pub fn role(self, role: Option<&'a str>) -> Settings<'a> {
        Settings { role, ..self }
    }

    /// How long to wait for a database that is still starting.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Settings<'a> {
        Settings { timeout, ..self }
    }

    /// Whether to write to a database that may lose what it has acknowledged. For tests.
    #[must_use]
    pub fn allow_unsafe(self, allow_unsafe: bool) -> Settings<'a> {
        Settings { allow_unsafe, ..self }
    }
}

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
    #[error(
        "what answers at {address} does not take the settings of a session; connect to Postgres itself and not to a \
         pooler such as PgBouncer (see \"Connection poolers\" in docs/OPERATING.md)"
    )]
    SettingsRefused {
        address: String,
        #[source]
        source: sqlx::Error,
    },
    #[error("Postgres at {address} cannot be used: {unfit}")]
    Unfit { address: String, unfit: Unfit },
}

pub(crate) async fn connect(url: &str, settings: &Settings<'_>) -> Result<Database, ConnectError> {
    let options = options(url, settings)?;
    let address = address(&options);
    let pool = pool(&options, settings);
    let started = Instant::now();
    let mut pause = CONNECT_BACKOFF_MIN;
    loop {
        let source = match first(&options, &pool, settings).await {
            Ok(Ok(())) => return Ok(Database::from(pool)),
            Ok(Err(unfit)) => return Err(ConnectError::Unfit { address, unfit }),
            Err(error) => error,
        };
        if refuses_settings(&source) {
            return Err(ConnectError::SettingsRefused { address, source });
        }
        if !is_transient(&source) {
            return Err(ConnectError::Refused { address, source });
        }
        let waited = started.elapsed();
        if waited >= settings.timeout {
            return Err(ConnectError::Unreachable { address, waited, source });
        }
        if pause == CONNECT_BACKOFF_MIN {
            let timeout = settings.timeout;
            tracing::warn!(%address, error = %source, "Postgres is not reachable yet; trying for {timeout:?}");
        }
        sleep(pause).await;
        pause = (pause * 2).min(CONNECT_BACKOFF_MAX);
    }
}

fn options(url: &str, settings: &Settings<'_>) -> Result<PgConnectOptions, ConnectError> {
    let options = PgConnectOptions::from_str(url)
        .map_err(ConnectError::Url)?
        .application_name(settings.application)
        .options(settings.workload.options())
        .disable_statement_logging();
    Ok(match settings.role {
        Some(role) => options.options([("role", role)]),
        None => options,
    })
}

/// The pool does not test connections before it hands them out: that would cost every request a round trip. A request
/// that gets a dead connection fails, and its connection is closed.
fn pool(options: &PgConnectOptions, settings: &Settings<'_>) -> PgPool {
    let pool = PgPoolOptions::new()
        .max_connections(settings.connections_max)
        .test_before_acquire(false)
        .acquire_timeout(ACQUIRE_TIMEOUT);
    let pool = match settings.workload {
        Workload::Commands => pool.after_connect(|connection, _| Box::pin(make_durable(connection))),
        _ => pool,
    };
    pool.connect_lazy_with(options.clone())
}

/// With `off` an acknowledgement is a wish, and with `local` no replica has what was acknowledged. The other values are the
/// operator's choice between replicas.
async fn make_durable(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    const MAKE_DURABLE: &str = "select set_config('synchronous_commit', 'on', false) \
         where current_setting('synchronous_commit') in ('off', 'local')";
    connection.execute(MAKE_DURABLE).await.map(drop)
}

/// Opens a connection beside the first of the pool, so that a start does not fail later for lack of a connection, and
/// looks at both.
async fn first(
    options: &PgConnectOptions,
    pool: &PgPool,
    settings: &Settings<'_>,
) -> Result<Result<(), Unfit>, sqlx::Error> {
    let looking = async {
        let mut beside = options.connect().await?;
        let mut first = pool.acquire().await?;
        let fit = inspect::inspect(&mut first, &mut beside, settings).await?;
        beside.close().await?;
        Ok(fit)
    };
    timeout(PROBE_TIMEOUT, looking).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

fn address(options: &PgConnectOptions) -> String {
    match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    }
}

/// PgBouncer refuses options that it does not know with this code.
fn refuses_settings(error: &sqlx::Error) -> bool {
    const PROTOCOL_VIOLATION: &str = "08P01";
    crate::sqlstate(error).as_deref() == Some(PROTOCOL_VIOLATION)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_error_for_an_unreachable_database_shows_its_address_and_not_the_password() {
        let settings = Settings::new("test", Workload::Queries).timeout(Duration::ZERO);
        let error = connect("postgres://user:hunter2@127.0.0.1:1/none", &settings).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("127.0.0.1:1"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }

    #[tokio::test]
    async fn a_malformed_url_is_refused() {
        let error = connect("not a url", &Settings::new("test", Workload::Queries)).await.unwrap_err();
        assert!(matches!(error, ConnectError::Url(_)));
    }
}
