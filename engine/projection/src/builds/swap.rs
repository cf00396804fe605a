//! The swap: one transaction drops the views of the live build and creates them on the build that replaces it.

use std::time::Duration;

use recount_postgres::{Database, Transaction, sqlstate};
use sqlx::{AssertSqlSafe, PgConnection};
use tokio::time::{Instant, sleep};

use crate::builds::schema;
use crate::follow::progress;
use crate::projection::{Projection, schema_of, schema_of_version};

/// How long the live build may be quiesced, so that the new one can catch up with it. Readers are not affected.
const QUIESCENCE_TIMEOUT: Duration = Duration::from_secs(5);
const QUIESCENCE_POLL_INTERVAL: Duration = Duration::from_millis(20);
/// How long the swap waits for the current readers, while new readers wait for the swap. This is much less than the
/// second after which Postgres looks for deadlocks, so the swap is cancelled and never a reader.
const READERS_TIMEOUT: Duration = Duration::from_millis(250);
/// How long a drop waits for locks. An autovacuum that is in the way is cancelled after a second.
const DROP_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the whole swap may take: longer than the waits within it.
const SWAP_TIMEOUT: Duration = Duration::from_secs(30);
/// How long dropping old builds may take: their files may be large.
const SUPERSEDED_TIMEOUT: Duration = Duration::from_secs(300);
/// How long the server waits for the next statement, so that a process that vanished does not block readers.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// The outcome of a swap or of a drop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SwapOutcome {
    /// Done, by this process or by another.
    Done,
    /// Readers or writers blocked it. Nothing was changed, and a retry may succeed.
    Blocked,
}

/// Makes the build of the projection live.
///
/// A reader's transaction sees either the old build or the new one. Every reader reads the view of the progress first
/// and so locks it until the end of its transaction. The swap drops this view first: it waits for the readers that have
/// begun, which see the old build to their end, while new readers wait and then see the new build. In no log is the new
/// build behind the positions that readers have seen.
pub(crate) async fn swap(
    database: &Database,
    projection: &impl Projection,
) -> Result<SwapOutcome, sqlx::Error> {
    let swap = async {
        let mut transaction = begin(database).await?;
        let swapped = swap_within(&mut transaction, projection).await;
        end(transaction, swapped).await
    };
    database.bounded(SWAP_TIMEOUT, swap).await
}

async fn swap_within(
    transaction: &mut PgConnection,
    projection: &impl Projection,
) -> Result<SwapOutcome, sqlx::Error> {
    schema::lock(transaction).await?;
    let live = match schema::live_version(transaction, projection).await? {
        Some(live) if live < i32::from(projection.version()) => schema_of_version(projection, live),
        // Another process has swapped already, or somebody has removed the read models.
        _ => return Ok(SwapOutcome::Done),
    };
    set_lock_timeout(transaction, QUIESCENCE_TIMEOUT).await?;
    progress::quiesce(transaction, &live).await?;
    if !has_caught_up(transaction, &live, &schema_of(projection)).await? {
        return Ok(SwapOutcome::Blocked);
    }
    set_lock_timeout(transaction, READERS_TIMEOUT).await?;
    let view_schema = projection.view_schema();
    let names = schema::view_names(projection);
    let rights = rights(transaction, view_schema, &names).await?;
    // The progress comes first: see above.
    let drops = names.iter().map(|name| format!("drop view if exists {view_schema}.{name}")).collect();
    schema::execute_all(transaction, drops).await?;
    schema::create_views(transaction, projection).await?;
    schema::execute_all(transaction, rights).await?;
    schema::set_live(transaction, projection).await?;
    Ok(SwapOutcome::Done)
}

/// Drops the builds that are older than the live one.
pub(crate) async fn drop_superseded(
    database: &Database,
    projection: &impl Projection,
) -> Result<SwapOutcome, sqlx::Error> {
    let drop = async {
        let mut transaction = begin(database).await?;
        transaction.allow(SUPERSEDED_TIMEOUT).await?;
        let dropped = drop_superseded_within(&mut transaction, projection).await;
        end(transaction, dropped).await
    };
    database.bounded(SUPERSEDED_TIMEOUT, drop).await
}

async fn drop_superseded_within(
    transaction: &mut PgConnection,
    projection: &impl Projection,
) -> Result<SwapOutcome, sqlx::Error> {
    schema::lock(transaction).await?;
    set_lock_timeout(transaction, DROP_TIMEOUT).await?;
    let superseded: Vec<i32> = sqlx::query_scalar(
        "delete from public.recount_builds as build using public.recount_read_models as live
         where live.projection = $1 and build.projection = $1 and build.version < live.version
         returning build.version",
    )
    .bind(projection.name())
    .fetch_all(&mut *transaction)
    .await?;
    for version in superseded {
        let schema = schema_of_version(projection, version);
        // If the projector of an older program is still running, this waits for its current batches.
        progress::quiesce(transaction, &schema).await?;
        schema::execute_all(transaction, vec![format!("drop schema if exists {schema} cascade")]).await?;
        tracing::info!(build = schema, "an old build is dropped: a newer one has replaced it");
    }
    Ok(SwapOutcome::Done)
}

async fn begin(database: &Database) -> Result<Transaction, sqlx::Error> {
    // Each statement must see everything that was committed before it, whatever the default of the database is.
    let mut transaction = database.begin_with("begin isolation level read committed").await?;
    sqlx::query(
        "select set_config('idle_in_transaction_session_timeout', $1, true),
                set_config('client_min_messages', 'warning', true)",
    )
    .bind(IDLE_TIMEOUT.as_millis().to_string())
    .execute(&mut *transaction)
    .await?;
    Ok(transaction)
}

/// Commits the transaction if its work is done. Otherwise rolls it back at once, because readers may be waiting.
async fn end(
    transaction: Transaction,
    outcome: Result<SwapOutcome, sqlx::Error>,
) -> Result<SwapOutcome, sqlx::Error> {
    match outcome {
        Ok(SwapOutcome::Done) => transaction.commit().await?,
        _ => transaction.rollback().await?,
    }
    match outcome {
        Err(error) if is_blocked(&error) => Ok(SwapOutcome::Blocked),
        outcome => outcome,
    }
}

/// Whether a lock was not granted in time, or only with a deadlock.
fn is_blocked(error: &sqlx::Error) -> bool {
    matches!(sqlstate(error).as_deref(), Some("55P03" | "40P01"))
}

/// Sets how long the statements that follow wait for locks.
async fn set_lock_timeout(transaction: &mut PgConnection, timeout: Duration) -> Result<(), sqlx::Error> {
    sqlx::query("select set_config('lock_timeout', $1, true)")
        .bind(timeout.as_millis().to_string())
        .execute(transaction)
        .await?;
    Ok(())
}

/// Waits until the new build has caught up with the live build, which is quiesced, in every log. False after
/// `QUIESCENCE_TIMEOUT`. The positions of a log that has diverged cannot be reached, and what readers saw there was wrong.
async fn has_caught_up(transaction: &mut PgConnection, live: &str, new: &str) -> Result<bool, sqlx::Error> {
    let deadline = Instant::now() + QUIESCENCE_TIMEOUT;
    let is_behind = format!(
        "select exists (
             select from {live}.progress as live left join {new}.progress as new on new.log = live.log
             where coalesce(new.position, 0) < live.position and not live.diverged
         )"
    );
    while sqlx::query_scalar(AssertSqlSafe(is_behind.as_str())).fetch_one(&mut *transaction).await? {
        if Instant::now() >= deadline {
            return Ok(false);
        }
        sleep(QUIESCENCE_POLL_INTERVAL).await;
    }
    Ok(true)
}

/// The rights that other roles have on the views, as statements that grant them again.
async fn rights(
    transaction: &mut PgConnection,
    view_schema: &str,
    names: &[&str],
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "select format('grant %s on %I.%I to %s', given.privilege_type, schema.nspname, view.relname,
                       case given.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(given.grantee)) end)
         from pg_class as view
         join pg_namespace as schema on schema.oid = view.relnamespace
         cross join lateral aclexplode(view.relacl) as given
         where schema.nspname = $1 and view.relname = any($2) and given.grantee <> view.relowner",
    )
    .bind(view_schema)
    .bind(names)
    .fetch_all(transaction)
    .await
}
