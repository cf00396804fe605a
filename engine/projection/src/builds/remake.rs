//! Remaking the read models of one log: its rows are deleted, and the projectors read the log again from its start.

use std::time::Duration;

use recount_core::{LogKey, LogName};
use recount_postgres::Database;
use sqlx::{AssertSqlSafe, PgConnection};

use crate::builds::schema;
use crate::follow::progress;
use crate::projection::{Projection, schema_of_version};

/// How long a build is waited for. A projector holds a log for the time of one batch.
const CLAIM_TIMEOUT: Duration = Duration::from_secs(60);

/// A build from which the rows of a log were deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remade {
    pub build: String,
    /// Whether the build had progress in the log.
    pub had_progress: bool,
    /// The rows that were deleted.
    pub rows: u64,
}

/// Deletes what each build of the projection has of a log, rows and progress, in one transaction for each build. Running
/// projectors notice within about a second and read the log again from its start; others do so when they start.
///
/// For a log that has [diverged](crate::StopCause::Diverged), it puts the read models right. It does no harm to others,
/// but their readers see earlier positions until the log has been read.
pub async fn remake(
    database: impl Into<Database>,
    projection: &impl Projection,
    log: LogKey,
) -> Result<Vec<Remade>, sqlx::Error> {
    let database = database.into();
    let mut remade = Vec::new();
    for build in builds(&database, projection).await? {
        let mut transaction = database.begin().await?;
        let of_build = remake_build(&mut transaction, build, log).await?;
        transaction.commit().await?;
        remade.push(of_build);
    }
    // Readers that wait for a position look again.
    sqlx::query("select pg_notify('recount_read', '')")
        .execute(database.within(schema::LOOK_TIMEOUT))
        .await?;
    Ok(remade)
}

/// The logs that have diverged in any build of the projection.
pub async fn diverged_logs(
    database: impl Into<Database>,
    projection: &impl Projection,
) -> Result<Vec<LogName>, sqlx::Error> {
    let database = database.into();
    let mut names = Vec::new();
    for build in builds(&database, projection).await? {
        let found: Vec<String> = sqlx::query_scalar(AssertSqlSafe(format!(
            "select log_name from {build}.progress where diverged order by log_name"
        )))
        .fetch_all(database.within(schema::LOOK_TIMEOUT))
        .await?;
        names.extend(found.iter().filter_map(|name| name.parse::<LogName>().ok()));
    }
    names.sort();
    names.dedup();
    Ok(names)
}

/// The schemas of the builds of all versions.
async fn builds(database: &Database, projection: &impl Projection) -> Result<Vec<String>, sqlx::Error> {
    let look = async {
        let mut lease = database.lease().await?;
        let versions = schema::versions(&mut lease, projection).await?;
        lease.give_back();
        Ok::<_, sqlx::Error>(versions)
    };
    let versions = database.bounded(schema::LOOK_TIMEOUT, look).await?;
    Ok(versions.into_iter().map(|version| schema_of_version(projection, version)).collect())
}

async fn remake_build(
    transaction: &mut PgConnection,
    build: String,
    log: LogKey,
) -> Result<Remade, sqlx::Error> {
    sqlx::query("select set_config('lock_timeout', $1, true)")
        .bind(CLAIM_TIMEOUT.as_millis().to_string())
        .execute(&mut *transaction)
        .await?;
    progress::claim_waiting(transaction, &build, log).await?;
    let tables: Vec<String> = sqlx::query_scalar(
        "select format('%I.%I', n.nspname, c.relname)
         from pg_class c join pg_namespace n on n.oid = c.relnamespace
         join pg_attribute a on a.attrelid = c.oid and a.attname = 'log' and not a.attisdropped
         where n.nspname = $1 and c.relkind in ('r', 'p') and not c.relispartition and c.relname <> 'progress'
         order by 1",
    )
    .bind(&build)
    .fetch_all(&mut *transaction)
    .await?;
    let mut rows = 0;
    for table in tables {
        rows += delete(transaction, &table, log).await?;
    }
    let had_progress = delete(transaction, &format!("{build}.progress"), log).await? > 0;
    Ok(Remade { build, had_progress, rows })
}

async fn delete(transaction: &mut PgConnection, table: &str, log: LogKey) -> Result<u64, sqlx::Error> {
    let deleted = sqlx::query(AssertSqlSafe(format!("delete from {table} where log = $1")))
        .bind(log.0)
        .execute(transaction)
        .await?;
    Ok(deleted.rows_affected())
}
