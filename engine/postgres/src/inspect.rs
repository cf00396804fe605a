//! Looking at a server at the start: whether it keeps what Recount relies on.

use std::fmt;

use sqlx::{Executor, PgConnection, Row};

use crate::connect::Settings;
use crate::limits::Workload;

/// Pooled connections that are taken in turn may happen to share nothing at the first look.
const LOOKS: usize = 3;

/// Why a server cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// Two connections that are open at the same time have one session.
    SharedSession,
    /// A session does not have the settings that it was started with.
    SettingLost(&'static str),
    /// A crash of the server's machine may lose what it has acknowledged.
    NotDurable,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unfit::SharedSession => f.write_str(
                "its connections share sessions, as those of a pooler in transaction mode do; Recount needs sessions of \
                 its own (see \"Connection poolers\" in docs/OPERATING.md)",
            ),
            Unfit::SettingLost(name) => write!(
                f,
                "a session does not have the `{name}` that it was started with; is there a pooler that ignores it? (see \
                 \"Connection poolers\" in docs/OPERATING.md)"
            ),
            Unfit::NotDurable => f.write_str(
                "its `fsync` is off, so a power failure may lose events that were acknowledged; turn it on, or set \
                 RECOUNT_ALLOW_UNSAFE_DATABASE=true if the data may be lost",
            ),
        }
    }
}

/// Looks at a server through two of its connections, which were opened with the same settings.
pub(crate) async fn inspect(
    first: &mut PgConnection,
    beside: &mut PgConnection,
    settings: &Settings<'_>,
) -> Result<Result<(), Unfit>, sqlx::Error> {
    for _ in 0..LOOKS {
        // Without prepared statements, which such a pooler may not keep.
        if backend(first).await? == backend(beside).await? {
            return Ok(Err(Unfit::SharedSession));
        }
    }
    if let Some(lost) = lost_setting(beside, settings).await? {
        return Ok(Err(Unfit::SettingLost(lost)));
    }
    if settings.workload == Workload::Commands {
        return durability(first, settings).await;
    }
    Ok(Ok(()))
}

async fn backend(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    let row = connection.fetch_one("select pg_backend_pid()").await?;
    row.try_get(0)
}

/// The first setting that is not as it was asked for.
async fn lost_setting(
    connection: &mut PgConnection,
    settings: &Settings<'_>,
) -> Result<Option<&'static str>, sqlx::Error> {
    let row = connection
        .fetch_one(
            "select extract(epoch from current_setting('client_connection_check_interval')::interval) > 0 as limits, \
                    current_user::text as acting_as",
        )
        .await?;
    if !row.try_get::<bool, _>("limits")? {
        return Ok(Some("client_connection_check_interval"));
    }
    let acting_as: String = row.try_get("acting_as")?;
    Ok(settings.role.is_some_and(|role| role != acting_as).then_some("role"))
}

/// Whether what is acknowledged survives a crash of the machine.
async fn durability(
    connection: &mut PgConnection,
    settings: &Settings<'_>,
) -> Result<Result<(), Unfit>, sqlx::Error> {
    let row = connection
        .fetch_one(
            "select current_setting('fsync') = 'on' as fsync, \
                    current_setting('full_page_writes') = 'on' as full_page_writes",
        )
        .await?;
    if !row.try_get::<bool, _>("full_page_writes")? {
        // Some storage never tears a page, and some hosted servers turn it off for that reason.
        tracing::warn!(
            "full_page_writes is off: unless the storage never tears a page, a power failure can destroy the database"
        );
    }
    if row.try_get::<bool, _>("fsync")? {
        return Ok(Ok(()));
    }
    if settings.allow_unsafe {
        tracing::warn!("fsync is off: a power failure may lose events that were acknowledged");
        return Ok(Ok(()));
    }
    Ok(Err(Unfit::NotDurable))
}
