//! The progress of a build in each log. It is written in the same transaction as the data, by compare-and-set.

use std::collections::HashMap;

use recount_core::{LogKey, LogName, Position};
use sqlx::{AssertSqlSafe, PgConnection, PgPool, Row};

/// The stored progress of a build in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    pub position: Position,
    pub stopped: Option<Stopped>,
}

/// Why a build has stopped in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// The position of the event that cannot be applied. All events before it were applied.
    pub at: Position,
    pub reason: String,
}

/// The result of claiming a log for a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// The log is locked, and the build is at this position.
    At(Position),
    /// Another process applies events of this log to this build right now, or the build is quiesced.
    Busy,
}

/// The settings of a build's transactions.
///
/// Commits do not wait for the disk, so read models do not compete with the log for it. If a crash loses a commit, it
/// loses both data and progress, and the events are applied again.
///
/// Plans that do not look up rows by key are disabled. A batch touches some thousand rows, but the statistics of the
/// planner lag behind a growing table, so it would read all rows of a log (measured: hash joins over all 100,000 rows
/// of a log for a batch that touched 2,000).
///
/// Sorting is disabled too. So if several indexes begin with the log, the `order by` of a projection determines which
/// one the planner chooses.
const SETTINGS: &str = "
    select set_config('search_path', $1, true), set_config('synchronous_commit', 'off', true),
           set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true),
           set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),
           set_config('enable_material', 'off', true), set_config('enable_memoize', 'off', true),
           set_config('enable_sort', 'off', true),
           pg_try_advisory_xact_lock_shared(hashtext($1), 0)
               and pg_try_advisory_xact_lock(hashtextextended($1, $2)) as locked";

/// Quiesces the build until the transaction ends: waits for the running batches, and makes every log busy for later
/// ones.
pub(crate) async fn quiesce(transaction: &mut PgConnection, schema: &str) -> Result<(), sqlx::Error> {
    sqlx::query("select pg_advisory_xact_lock(hashtext($1), 0)").bind(schema).execute(transaction).await?;
    Ok(())
}

/// Claims the log for this transaction, unless another transaction has it, and sets up the transaction for the build.
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
    // A separate statement, so that it sees the commit of the previous holder of the lock.
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
        // The row may exist: a log that stopped at its first event has one.
        sqlx::query(
            "insert into progress as p (log, log_name, position, updated_at) values ($1, $2, $3, clock_timestamp())
             on conflict on constraint progress_pkey do update
             set position = excluded.position, stopped_at = null, stopped_reason = null, updated_at = clock_timestamp()
             where p.position = 0",
        )
        .bind(log.0)
        .bind(name.as_str())
        .bind(to.0)
    } else {
        sqlx::query(
            "update progress set position = $3, stopped_at = null, stopped_reason = null, updated_at = clock_timestamp()
             where log = $1 and position = $2",
        )
        .bind(log.0)
        .bind(from.0)
        .bind(to.0)
    };
    Ok(moved.execute(transaction).await?.rows_affected() == 1)
}

/// Records that the build has stopped at this position. The transaction must have claimed the log.
pub(crate) async fn stop(
    transaction: &mut PgConnection,
    log: LogKey,
    name: &LogName,
    position: Position,
    stopped: &Stopped,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into progress as p (log, log_name, position, stopped_at, stopped_reason, updated_at)
         values ($1, $2, $3, $4, $5, clock_timestamp())
         on conflict on constraint progress_pkey do update
         set stopped_at = excluded.stopped_at, stopped_reason = excluded.stopped_reason, updated_at = clock_timestamp()
         where p.position = $3",
    )
    .bind(log.0)
    .bind(name.as_str())
    .bind(position.0)
    .bind(stopped.at.0)
    .bind(&stopped.reason)
    .execute(transaction)
    .await?;
    Ok(())
}

/// The progress of a build in these logs, or in all.
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
