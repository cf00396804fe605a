//! The progress of a build in each log. It is written in the same transaction as the data, by compare-and-set.

use std::collections::HashMap;
use std::time::Duration;

use recount_core::{EventHash, LogKey, LogName, Position, Tip};
use recount_postgres::Database;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, Row};

/// The stored progress of a build in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    pub name: LogName,
    /// Up to where the log is applied; `None` if no event is.
    pub tip: Option<Tip>,
    pub stopped: Option<Stopped>,
}

/// Why a build has stopped in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    pub cause: StopCause,
    /// The position of the event that cannot be applied, before which all events were applied. If the log has diverged,
    /// the position of the build, at or before which the log changed.
    pub at: Position,
    pub reason: String,
}

/// What kind of trouble a log is stopped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopCause {
    /// An event cannot be applied. What was applied is right, and another program may be able to go on.
    Poisoned,
    /// The log is not the one that the build was made from. What was applied is wrong, until the log's read models are
    /// [remade](crate::remake).
    Diverged,
}

impl Progress {
    /// Where the build is, for those who only need the position.
    pub fn position(&self) -> Position {
        self.tip.map_or(Position::START, |tip| tip.position)
    }
}

impl Stopped {
    /// The build is at this tip, and the log in the store does not contain it.
    pub(crate) fn diverged(name: &LogName, tip: Tip) -> Stopped {
        Stopped {
            cause: StopCause::Diverged,
            at: tip.position,
            reason: format!(
                "the log in the store is not the one that these read models were made from: it went back or was \
                 rewritten at or before position {}; run `recount read-models remake {name}`",
                tip.position
            ),
        }
    }

    pub(crate) fn is_diverged(&self) -> bool {
        self.cause == StopCause::Diverged
    }
}

/// The result of claiming a log for a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// The log is locked, and the build is at this tip; `None` if no event is applied.
    At(Option<Tip>),
    /// The log has diverged, so nothing may be applied.
    Diverged(Option<Tip>, Stopped),
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
    let row = sqlx::query(
        "select log, log_name, position, hash, stopped_at, stopped_reason, diverged from progress where log = $1",
    )
    .bind(log.0)
    .fetch_optional(transaction)
    .await?;
    let Some((_, progress)) = row.as_ref().map(read_row).transpose()? else { return Ok(Claim::At(None)) };
    Ok(match progress.stopped {
        Some(stopped) if stopped.is_diverged() => Claim::Diverged(progress.tip, stopped),
        _ => Claim::At(progress.tip),
    })
}

/// Claims the log in a build of any version for this transaction, and waits until it is free.
pub(crate) async fn claim_waiting(
    transaction: &mut PgConnection,
    schema: &str,
    log: LogKey,
) -> Result<(), sqlx::Error> {
    // In the same order as the others take them.
    sqlx::query("select pg_advisory_xact_lock_shared(hashtext($1), 0)")
        .bind(schema)
        .execute(&mut *transaction)
        .await?;
    sqlx::query("select pg_advisory_xact_lock(hashtextextended($1, $2))")
        .bind(schema)
        .bind(log.0)
        .execute(transaction)
        .await?;
    Ok(())
}

/// Moves the progress from one tip to another. False if it is not at the first one.
pub(crate) async fn advance(
    transaction: &mut PgConnection,
    log: LogKey,
    name: &LogName,
    from: Tip,
    to: Tip,
) -> Result<bool, sqlx::Error> {
    let moved = if from.position == Position::START {
        // The row may exist: a log that stopped at its first event has one.
        sqlx::query(
            "insert into progress as p (log, log_name, position, hash, updated_at)
             values ($1, $2, $3, $4, clock_timestamp())
             on conflict on constraint progress_pkey do update
             set position = excluded.position, hash = excluded.hash, stopped_at = null, stopped_reason = null,
                 updated_at = clock_timestamp()
             where p.position = 0 and not p.diverged",
        )
        .bind(log.0)
        .bind(name.as_str())
        .bind(to.position.0)
        .bind(&to.hash.0[..])
    } else {
        sqlx::query(
            "update progress
             set position = $4, hash = $5, stopped_at = null, stopped_reason = null, updated_at = clock_timestamp()
             where log = $1 and position = $2 and hash = $3 and not diverged",
        )
        .bind(log.0)
        .bind(from.position.0)
        .bind(from.hash.0.to_vec())
        .bind(to.position.0)
        .bind(to.hash.0.to_vec())
    };
    Ok(moved.execute(transaction).await?.rows_affected() == 1)
}

/// Records that the build has stopped at this tip. The transaction must have claimed the log.
pub(crate) async fn stop(
    transaction: &mut PgConnection,
    log: LogKey,
    name: &LogName,
    tip: Tip,
    stopped: &Stopped,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into progress as p (log, log_name, position, hash, stopped_at, stopped_reason, diverged, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, clock_timestamp())
         on conflict on constraint progress_pkey do update
         set stopped_at = excluded.stopped_at, stopped_reason = excluded.stopped_reason,
             diverged = excluded.diverged, updated_at = clock_timestamp()
         where p.position = $3",
    )
    .bind(log.0)
    .bind(name.as_str())
    .bind(tip.position.0)
    .bind(&tip.hash.0[..])
    .bind(stopped.at.0)
    .bind(&stopped.reason)
    .bind(stopped.is_diverged())
    .execute(transaction)
    .await?;
    Ok(())
}

/// Logs of which the progress is read: those with these keys, and all whose keys are in this range. One may be both.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Selection<'a> {
    pub(crate) logs: &'a [i64],
    /// After the first key, up to the second one.
    pub(crate) range: Option<(i64, i64)>,
}

impl<'a> Selection<'a> {
    pub(crate) fn of(logs: &'a [i64]) -> Selection<'a> {
        Selection { logs, range: None }
    }
}

/// How long reading the progress of many logs may take.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// The progress of a build in some logs.
pub(crate) async fn read(
    database: &Database,
    schema: &str,
    selection: Selection<'_>,
) -> Result<HashMap<LogKey, Progress>, sqlx::Error> {
    let columns = "log, log_name, position, hash, stopped_at, stopped_reason, diverged";
    let (after, until) = selection.range.unwrap_or((0, 0));
    let rows = sqlx::query(AssertSqlSafe(format!(
        "select {columns} from {schema}.progress where log = any($1)
         union all
         select {columns} from {schema}.progress where log > $2 and log <= $3"
    )))
    .bind(selection.logs)
    .bind(after)
    .bind(until)
    .fetch_all(database.within(READ_TIMEOUT))
    .await?;
    rows.iter().map(read_row).collect()
}

fn read_row(row: &PgRow) -> Result<(LogKey, Progress), sqlx::Error> {
    let name: String = row.try_get("log_name")?;
    let position = Position(row.try_get("position")?);
    let hash: &[u8] = row.try_get("hash")?;
    let hash = EventHash::from_slice(hash).ok_or_else(|| corrupt("hash"))?;
    let diverged: bool = row.try_get("diverged")?;
    let cause = if diverged { StopCause::Diverged } else { StopCause::Poisoned };
    let reason: Option<String> = row.try_get("stopped_reason")?;
    let stopped_at: Option<i64> = row.try_get("stopped_at")?;
    let stopped =
        stopped_at.map(|at| Stopped { cause, at: Position(at), reason: reason.unwrap_or_default() });
    let tip = (position > Position::START).then_some(Tip { position, hash });
    let name = name.parse().map_err(|_| corrupt("log_name"))?;
    Ok((LogKey(row.try_get("log")?), Progress { name, tip, stopped }))
}

fn corrupt(column: &str) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: column.to_owned(), source: "nothing that this program writes".into() }
}
