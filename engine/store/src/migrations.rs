//! The schema of the event store, in numbered steps.

use std::borrow::Cow;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{PgPool, SqlStr};

/// The table that records which steps were applied. Each part of Recount with a schema has such a table of its own, so
/// that the parts can share a database or not.
const TABLE: &str = "public.recount_store_migrations";

/// The schema is not the one that this program needs.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    #[error(
        "the event store's schema is newer than this program (it has step {0}); run the newer program, or restore a \
         backup from before the upgrade"
    )]
    Newer(i64),
    #[error("the event store's schema is older than this program; run `recount migrate` first")]
    Older,
    #[error(
        "step {0} of the event store's schema is not the step that was applied; the database was changed by hand"
    )]
    Changed(i64),
    #[error("the version of the event store's schema could not be read")]
    Unreadable(#[source] sqlx::Error),
    #[error("the event store's schema could not be brought up to date")]
    Failed(#[source] MigrateError),
}

fn migrator() -> Migrator {
    let steps = [
        (1, "store", include_str!("../migrations/0001_store.sql")),
        (2, "deadlines", include_str!("../migrations/0002_deadlines.sql")),
        (3, "lookups", include_str!("../migrations/0003_lookups.sql")),
    ];
    let migrations = steps
        .into_iter()
        .map(|(version, name, sql)| {
            let sql = SqlStr::from_static(sql);
            Migration::new(version, Cow::Borrowed(name), MigrationType::Simple, sql, false)
        })
        .collect();
    let mut migrator = Migrator { migrations, ..Migrator::DEFAULT };
    migrator.dangerous_set_table_name(TABLE);
    migrator
}

/// Brings the schema up to date. Several processes may call this at the same time; one of them does the work.
pub async fn run(pool: &PgPool) -> Result<(), MigrationError> {
    migrator().run(pool).await.map_err(|error| match error {
        MigrateError::VersionMissing(version) => MigrationError::Newer(version),
        MigrateError::VersionMismatch(version) => MigrationError::Changed(version),
        other => MigrationError::Failed(other),
    })
}

/// Checks that the schema is exactly the one that this program needs. Changes nothing.
pub async fn verify(pool: &PgPool) -> Result<(), MigrationError> {
    let failed = MigrationError::Unreadable;
    let exists: bool = sqlx::query_scalar("select to_regclass($1) is not null")
        .bind(TABLE)
        .fetch_one(pool)
        .await
        .map_err(failed)?;
    if !exists {
        return Err(MigrationError::Older);
    }
    let latest: Option<i64> =
        sqlx::query_scalar("select max(version) from public.recount_store_migrations where success")
            .fetch_one(pool)
            .await
            .map_err(failed)?;
    let needed = migrator().iter().map(|step| step.version).max();
    match latest {
        latest if latest == needed => Ok(()),
        Some(latest) if Some(latest) > needed => Err(MigrationError::Newer(latest)),
        _ => Err(MigrationError::Older),
    }
}
