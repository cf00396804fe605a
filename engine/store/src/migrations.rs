//! The schema of the event store, in numbered steps.

use std::borrow::Cow;
use std::time::Duration;

use recount_postgres::Database;
use sqlx::SqlStr;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};

/// The table that records which steps were applied. Each part of Recount with a schema has such a table of its own, so
/// that the parts can share a database or not.
const TABLE: &str = "public.recount_store_migrations";

/// How long looking at the version of the schema may take.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(5);

/// The first step that this program works with. Between it and the last step that the program has, everything it needs
/// is there; so processes can be replaced one by one, before or after the migration.
const NEEDED: i64 = 1;

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
    let steps = [(1, "store", include_str!("../migrations/0001_store.sql"))];
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

/// The last step that this program has.
fn known() -> i64 {
    migrator().iter().map(|step| step.version).max().unwrap_or(NEEDED)
}

/// Brings the schema up to date. Several processes may call this at the same time; one of them does the work. A schema
/// that a newer program has brought further stays as it is, if this program can work with it.
pub async fn run(database: impl Into<Database>) -> Result<(), MigrationError> {
    let database = database.into();
    let mut migrator = migrator();
    migrator.set_ignore_missing(true);
    let mut lease = database.lease().await.map_err(MigrationError::Unreadable)?;
    migrator.run(&mut *lease).await.map_err(|error| match error {
        MigrateError::VersionMismatch(version) => MigrationError::Changed(version),
        other => MigrationError::Failed(other),
    })?;
    lease.give_back();
    verify(&database).await
}

/// Checks that this program can work with the schema: it has every step that the program needs, and no step that
/// requires a newer program. Changes nothing.
pub async fn verify(database: impl Into<Database>) -> Result<(), MigrationError> {
    let database = database.into();
    let failed = MigrationError::Unreadable;
    let exists: bool = sqlx::query_scalar(
        "select to_regclass($1) is not null and to_regclass('store.compatibility') is not null",
    )
    .bind(TABLE)
    .fetch_one(database.within(STATEMENT_TIMEOUT))
    .await
    .map_err(failed)?;
    if !exists {
        return Err(MigrationError::Older);
    }
    let (latest, oldest_program): (i64, i64) = sqlx::query_as(
        "select (select coalesce(max(version), 0) from public.recount_store_migrations where success),
                (select max(oldest_program) from store.compatibility)",
    )
    .fetch_one(database.within(STATEMENT_TIMEOUT))
    .await
    .map_err(failed)?;
    if latest < NEEDED {
        Err(MigrationError::Older)
    } else if oldest_program > known() {
        Err(MigrationError::Newer(latest))
    } else {
        Ok(())
    }
}
