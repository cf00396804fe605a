//! The swap: in one transaction the views leave the live build and point at the one that takes its place.

use std::time::Duration;

use sqlx::{AssertSqlSafe, PgConnection, PgPool};
use tokio::time::{Instant, sleep};

use crate::builds::schema;
use crate::follow::progress;
use crate::projection::{Projection, schema_of, schema_of_version};

/// How long the live build may stand still, so that the new one can draw level. Readers go on meanwhile.
const QUIESCENCE_TIMEOUT: Duration = Duration::from_secs(5);
const QUIESCENCE_POLL_INTERVAL: Duration = Duration::from_millis(20);
/// How long readers that come may have to wait for those that are there. Far less than the second after which Postgres
/// looks for deadlocks: it is the swap that gives way, never a reader.
const READERS_TIMEOUT: Duration = Duration::from_millis(250);
/// How long a drop waits for vacuuming to give way, which it does after a second.
const DROP_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the server waits for the next statement: a process that vanished must not keep readers waiting.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// What became of a swap, or of a drop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Swap {
    /// It is done, by this process or by another.
    Done,
    /// Others were in the way. Nothing was changed; it may be tried again.
    GaveWay,
}

/// Brings the projection's build to the readers.
///
/// A reader's transaction sees the one build or the other. Every reader reads the progress first and holds its view
/// until its end, and that view is the first that is taken away here: whoever has begun ends on the live build, whoever
/// comes waits a moment and finds the new one. The new build is then nowhere behind what readers have seen.
pub(crate) async fn swap(pool: &PgPool, projection: &impl Projection) -> Result<Swap, sqlx::Error> {
    let mut transaction = begin(pool).await?;
    let swapped = swap_within(&mut transaction, projection).await;
    end(transaction, swapped).await
}

async fn swap_within(
    transaction: &mut PgConnection,
    projection: &impl Projection,
) -> Result<Swap, sqlx::Error> {
    schema::lock(transaction).await?;
    let live = match schema::live_version(transaction, projection).await? {
        Some(live) if live < i32::from(projection.version()) => schema_of_version(projection, live),
        // Another process was quicker, or somebody has taken the read models away.
        _ => return Ok(Swap::Done),
    };
    wait_for_locks_up_to(transaction, QUIESCENCE_TIMEOUT).await?;
    progress::quiesce(transaction, &live).await?;
    if !has_caught_up(transaction, &live, &schema_of(projection)).await? {
        return Ok(Swap::GaveWay);
    }
    wait_for_locks_up_to(transaction, READERS_TIMEOUT).await?;
    let view_schema = projection.view_schema();
    let names = schema::view_names(projection);
    let rights = rights(transaction, view_schema, &names).await?;
    // In this order: see above.
    let drops = names.iter().map(|name| format!("drop view if exists {view_schema}.{name}")).collect();
    schema::execute_all(transaction, drops).await?;
    schema::make_views(transaction, projection).await?;
    schema::execute_all(transaction, rights).await?;
    schema::set_live(transaction, projection).await?;
    Ok(Swap::Done)
}

/// Drops the builds that are older than the live one.
pub(crate) async fn drop_superseded(
    pool: &PgPool,
    projection: &impl Projection,
) -> Result<Swap, sqlx::Error> {
    let mut transaction = begin(pool).await?;
    let dropped = drop_superseded_within(&mut transaction, projection).await;
    end(transaction, dropped).await
}

async fn drop_superseded_within(
    transaction: &mut PgConnection,
    projection: &impl Projection,
) -> Result<Swap, sqlx::Error> {
    schema::lock(transaction).await?;
    wait_for_locks_up_to(transaction, DROP_TIMEOUT).await?;
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
        // Should an older program's projector still be at work, its batches under way end first.
        progress::quiesce(transaction, &schema).await?;
        schema::execute_all(transaction, vec![format!("drop schema if exists {schema} cascade")]).await?;
        tracing::info!(build = schema, "an old build is dropped: another one has taken its place");
    }
    Ok(Swap::Done)
}

async fn begin(pool: &PgPool) -> Result<sqlx::Transaction<'static, sqlx::Postgres>, sqlx::Error> {
    // Each statement sees what was committed before it, whatever the database's default is.
    let mut transaction = pool.begin_with("begin isolation level read committed").await?;
    sqlx::query(
        "select set_config('idle_in_transaction_session_timeout', $1, true),
                set_config('client_min_messages', 'warning', true)",
    )
    .bind(IDLE_TIMEOUT.as_millis().to_string())
    .execute(&mut *transaction)
    .await?;
    Ok(transaction)
}

/// Commits what is done. All else is undone at once, as readers may be waiting.
async fn end(
    transaction: sqlx::Transaction<'static, sqlx::Postgres>,
    outcome: Result<Swap, sqlx::Error>,
) -> Result<Swap, sqlx::Error> {
    match outcome {
        Ok(Swap::Done) => transaction.commit().await?,
        _ => transaction.rollback().await?,
    }
    match outcome {
        Err(error) if is_in_the_way(&error) => Ok(Swap::GaveWay),
        outcome => outcome,
    }
}

/// Whether a lock was not to be had in time, or only by way of a deadlock.
fn is_in_the_way(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    matches!(code.as_deref(), Some("55P03" | "40P01"))
}

async fn wait_for_locks_up_to(transaction: &mut PgConnection, timeout: Duration) -> Result<(), sqlx::Error> {
    sqlx::query("select set_config('lock_timeout', $1, true)")
        .bind(timeout.as_millis().to_string())
        .execute(transaction)
        .await?;
    Ok(())
}

/// Waits until the new build is nowhere behind the live one, which stands still. False if it takes too long.
async fn has_caught_up(transaction: &mut PgConnection, live: &str, new: &str) -> Result<bool, sqlx::Error> {
    let deadline = Instant::now() + QUIESCENCE_TIMEOUT;
    let is_behind = format!(
        "select exists (
             select from {live}.progress as live left join {new}.progress as new on new.log = live.log
             where coalesce(new.position, 0) < live.position
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

/// The rights that others were given on the views, as statements that give them again.
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
