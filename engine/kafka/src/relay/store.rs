//! The tables of the relay: who holds which shard of the logs, and how far each log is published.

use std::collections::HashMap;
use std::time::Duration;

use recount_core::{LogKey, Position};
use recount_store::StoreError;
use sqlx::{PgPool, Row};
use uuid::Uuid;

/// The number of shards, which limits how many processes share the work of publishing.
pub const SHARDS: i16 = 16;

/// The shard of a log.
pub(super) fn shard_of(log: LogKey) -> i16 {
    i16::try_from(log.0.rem_euclid(i64::from(SHARDS))).expect("a remainder of SHARDS fits")
}

/// A step of the progress of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    pub log: LogKey,
    pub from: Position,
    pub to: Position,
}

/// The relay's own tables in the database of the log. Cheap to clone.
#[derive(Clone, Debug)]
pub struct RelayStore {
    pool: PgPool,
}

impl RelayStore {
    pub fn new(pool: PgPool) -> RelayStore {
        RelayStore { pool }
    }

    /// Takes the lease of every free shard for `holder`, renews the leases that it has, and returns all its shards.
    ///
    /// The clock of the database counts, so the clocks of the processes do not matter.
    pub async fn hold_shards(&self, holder: Uuid, ttl: Duration) -> Result<Vec<i16>, StoreError> {
        let rows = sqlx::query(
            "insert into relay.leases as l (shard, holder, expires_at)
             select shard, $1, clock_timestamp() + $2 * interval '1 millisecond' from generate_series(0, $3 - 1) as shard
             on conflict (shard) do update set holder = excluded.holder, expires_at = excluded.expires_at
             where l.holder = $1 or l.expires_at < clock_timestamp()
             returning shard",
        )
        .bind(holder)
        .bind(i64::try_from(ttl.as_millis()).expect("a lease lasts seconds"))
        .bind(i32::from(SHARDS))
        .fetch_all(&self.pool)
        .await
        .map_err(StoreError::from_read)?;
        rows.iter().map(|row| row.try_get("shard")).collect::<Result<_, _>>().map_err(StoreError::from_read)
    }

    /// Returns all leases of the holder, so that another process need not wait for them to expire.
    pub async fn release_shards(&self, holder: Uuid) -> Result<(), StoreError> {
        sqlx::query("delete from relay.leases where holder = $1")
            .bind(holder)
            .execute(&self.pool)
            .await
            .map(|_| ())
            .map_err(StoreError::from_read)
    }

    /// How far each of these logs is published. A log without progress is not in the result.
    pub async fn published(&self, logs: &[LogKey]) -> Result<HashMap<LogKey, Position>, StoreError> {
        let keys: Vec<i64> = logs.iter().map(|log| log.0).collect();
        let rows = sqlx::query("select log, position from relay.progress where log = any($1)")
            .bind(keys)
            .fetch_all(&self.pool)
            .await
            .map_err(StoreError::from_read)?;
        let read = |row: &sqlx::postgres::PgRow| Ok((LogKey(row.try_get(0)?), Position(row.try_get(1)?)));
        rows.iter().map(read).collect::<Result<_, sqlx::Error>>().map_err(StoreError::from_read)
    }

    /// Moves the progress of many logs forward by compare-and-set. Returns how many of them moved; the others keep
    /// their progress.
    ///
    /// The commit does not wait for the disk. If a crash undoes it, events are published again, and consumers skip
    /// them.
    pub async fn save_published(&self, progress: &[Published]) -> Result<usize, StoreError> {
        let column = |of: fn(&Published) -> i64| progress.iter().map(of).collect::<Vec<i64>>();
        sqlx::query_scalar::<_, i64>(
            "with told as materialized (
                 select told.* from unnest($1::bigint[], $2::bigint[], $3::bigint[]) as told (log, since, upto),
                     set_config('synchronous_commit', 'off', true)
             ), moved as (
                 update relay.progress as p set position = told.upto
                 from told where p.log = told.log and p.position = told.since
                 returning 1
             ), begun as (
                 insert into relay.progress (log, position)
                 select log, upto from told where since = $4
                 on conflict (log) do nothing
                 returning 1
             )
             select (select count(*) from moved) + (select count(*) from begun)",
        )
        .bind(column(|step| step.log.0))
        .bind(column(|step| step.from.0))
        .bind(column(|step| step.to.0))
        .bind(Position::START.0)
        .fetch_one(&self.pool)
        .await
        .map(|moved| usize::try_from(moved).expect("no more rows than steps"))
        .map_err(StoreError::from_read)
    }
}
