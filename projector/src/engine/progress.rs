//! How far a build is in each log. Written in the transaction of the data that it speaks of, and only from the
//! position that the writer saw: compare-and-set.

use std::collections::HashMap;

use recount_events::{LogKey, LogName, Position};
use recount_service_kit::clock;
use sqlx::{AssertSqlSafe, PgConnection, PgPool, Row};

/// A log's progress as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    pub position: Position,
    pub stopped: Option<Stopped>,
}

/// Why a build goes no further in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// The event that could not be applied; everything before it was.
    pub at: Position,
    pub reason: String,
}

/// The lock on a log of a build, and where the build is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    At(Position),
    /// Another process applies events of this log to this build right now, or the build stands still.
    Busy,
}

/// What holds in a build's transactions, until their end.
///
/// Commits do not wait for the disk: progress and data are lost together or not at all, and what is lost is applied
/// again from the log. So no read model ever competes with the log for the disk.
///
/// Rows are looked up by key and by no other plan: a batch touches some thousand rows, and the planner, whose
/// statistics lag behind a table that grows, would rather read everything that a log has (seen: hash joins over all
/// 100,000 rows of a log, for a batch that touched 2,000).
///
/// Nothing is sorted that an index has in order. So a projection says by `order by` which index a look-up goes by, where
/// several begin with the log, and the planner has no choice that could be wrong.
const SETTINGS: &str = "
    select set_config('search_path', $1, true), set_config('synchronous_commit', 'off', true),
           set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true),
           set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),
           set_config('enable_material', 'off', true), set_config('enable_memoize', 'off', true),
           set_config('enable_sort', 'off', true),
           pg_try_advisory_xact_lock_shared(hashtext($1), 0)
               and pg_try_advisory_xact_lock(hashtextextended($1, $2)) as locked";

/// Lets the build stand still until the transaction ends: waits for the batches under way, and to all others every log
/// is busy.
pub(crate) async fn stand_still(transaction: &mut PgConnection, schema: &str) -> Result<(), sqlx::Error> {
    sqlx::query("select pg_advisory_xact_lock(hashtext($1), 0)").bind(schema).execute(transaction).await?;
    Ok(())
}

/// Takes the log for this transaction, if nobody else has it, and prepares the transaction for the build.
pub(crate) async fn claim(
    transaction: &mut PgConnection,
    schema: &str,
    log: LogKey,
) -> Result<Claim, sqlx::Error> {
    let locked: bool = sqlx::query(SETTINGS)
        .bind(schema)
        .bind(log.0)
        .fetch_one(&mut *transaction)
        .await?
        .try_get("locked")?;
    if !locked {
        return Ok(Claim::Busy);
    }
    // A statement of its own, so that it sees what the last holder of the lock committed.
    let position: Option<i64> = sqlx::query_scalar("select position from progress where log = $1")
        .bind(log.0)
        .fetch_optional(transaction)
        .await?;
    Ok(Claim::At(position.map_or(Position::START, Position)))
}

/// Moves the progress from one position to another. False if it is not at the first one.
pub(crate) async fn advance(
    transaction: &mut PgConnection,
    log: LogKey,
    name: &LogName,
    from: Position,
    to: Position,
) -> Result<bool, sqlx::Error> {
    let moved = if from == Position::START {
        // The row may be there: a log that stopped at its first event has one.
        sqlx::query(
            "insert into progress as p (log, log_name, position, updated_at) values ($1, $2, $3, $4)
             on conflict on constraint progress_pkey do update
             set position = excluded.position, stopped_at = null, stopped_reason = null, updated_at = $4
             where p.position = 0",
        )
        .bind(log.0)
        .bind(name.as_str())
        .bind(to.0)
        .bind(clock::now())
    } else {
        sqlx::query(
            "update progress set position = $3, stopped_at = null, stopped_reason = null, updated_at = $4
             where log = $1 and position = $2",
        )
        .bind(log.0)
        .bind(from.0)
        .bind(to.0)
        .bind(clock::now())
    };
    Ok(moved.execute(transaction).await?.rows_affected() == 1)
}

/// Notes that the log cannot go on from this position, on which the transaction has its claim.
pub(crate) async fn stop(
    transaction: &mut PgConnection,
    log: LogKey,
    name: &LogName,
    position: Position,
    stopped: &Stopped,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into progress as p (log, log_name, position, stopped_at, stopped_reason, updated_at)
         values ($1, $2, $3, $4, $5, $6)
         on conflict on constraint progress_pkey do update
         set stopped_at = excluded.stopped_at, stopped_reason = excluded.stopped_reason, updated_at = $6
         where p.position = $3",
    )
    .bind(log.0)
    .bind(name.as_str())
    .bind(position.0)
    .bind(stopped.at.0)
    .bind(&stopped.reason)
    .bind(clock::now())
    .execute(transaction)
    .await?;
    Ok(())
}

/// The progress of the build in these logs, or in all.
pub(crate) async fn read(
    pool: &PgPool,
    schema: &str,
    logs: Option<&[i64]>,
) -> Result<HashMap<LogKey, Progress>, sqlx::Error> {
    let rows: Vec<(i64, i64, Option<i64>, Option<String>)> = sqlx::query_as(AssertSqlSafe(format!(
        "select log, position, stopped_at, stopped_reason from {schema}.progress
         where $1::bigint[] is null or log = any($1)"
    )))
    .bind(logs)
    .fetch_all(pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(log, position, stopped_at, reason)| {
            let stopped =
                stopped_at.map(|at| Stopped { at: Position(at), reason: reason.unwrap_or_default() });
            let position = Position(position);
            (LogKey(log), Progress { position, stopped })
        })
        .collect())
}
