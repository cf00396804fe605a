//! What a relay needs to remember: who holds which shard of the logs, and how far each log is published.

use std::collections::HashMap;
use std::time::Duration;

use recount_events::{LogKey, Position};
use sqlx::Row;
use uuid::Uuid;

use crate::error::StoreError;
use crate::store::EventStore;

pub const SHARDS: i16 = 16;

/// The shard of a log.
pub fn shard_of(log: LogKey) -> i16 {
    i16::try_from(log.0.rem_euclid(i64::from(SHARDS))).expect("a remainder of SHARDS fits")
}

impl EventStore {
    /// Takes the lease on every shard that is free, renews those of `holder`, and answers which it has now.
    ///
    /// Time is the database's, so the clocks of the processes do not matter.
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
        .fetch_all(self.pool())
        .await
        .map_err(StoreError::from_read)?;
        rows.iter().map(|row| row.try_get("shard")).collect::<Result<_, _>>().map_err(StoreError::from_read)
    }

    /// Gives all leases of the holder back, so that another process need not wait for them to expire.
    pub async fn release_shards(&self, holder: Uuid) -> Result<(), StoreError> {
        sqlx::query("delete from relay.leases where holder = $1")
            .bind(holder)
            .execute(self.pool())
            .await
            .map(|_| ())
            .map_err(StoreError::from_read)
    }

    /// How far each of the logs is published. A log that is not in the answer is not published at all.
    pub async fn published(&self, logs: &[LogKey]) -> Result<HashMap<LogKey, Position>, StoreError> {
        let keys: Vec<i64> = logs.iter().map(|log| log.0).collect();
        let rows = sqlx::query("select log, position from relay.progress where log = any($1)")
            .bind(keys)
            .fetch_all(self.pool())
            .await
            .map_err(StoreError::from_read)?;
        let read = |row: &sqlx::postgres::PgRow| Ok((LogKey(row.try_get(0)?), Position(row.try_get(1)?)));
        rows.iter().map(read).collect::<Result<_, sqlx::Error>>().map_err(StoreError::from_read)
    }

    /// Moves the progress of a log forward from where the caller believes it to be. Answers whether it was there.
    pub async fn save_published(
        &self,
        log: LogKey,
        from: Position,
        to: Position,
    ) -> Result<bool, StoreError> {
        sqlx::query(
            "insert into relay.progress as p (log, position) values ($1, $3)
             on conflict (log) do update set position = excluded.position where p.position = $2",
        )
        .bind(log.0)
        .bind(from.0)
        .bind(to.0)
        .execute(self.pool())
        .await
        .map(|done| done.rows_affected() == 1)
        .map_err(StoreError::from_read)
    }
}
