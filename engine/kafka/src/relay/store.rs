//! The tables of the relay: who holds which shard of the logs, and how far each log is published.

use std::collections::HashMap;
use std::time::Duration;

use recount_core::{EventHash, LogKey, Position, Tip};
use recount_postgres::Database;
use recount_store::StoreError;
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

/// The number of shards, which limits how many processes share the work of publishing.
pub const SHARDS: i16 = 16;

/// How long a statement may take. A lease ends after ten seconds without a sign of life.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(5);

/// The shard of a log.
pub(super) fn shard_of(log: LogKey) -> i16 {
    i16::try_from(log.0.rem_euclid(i64::from(SHARDS))).expect("a remainder of SHARDS fits")
}

/// A step of the progress of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    pub log: LogKey,
    /// The progress that is expected; `None` if there is none.
    pub from: Option<Tip>,
    pub to: Tip,
}

/// A lease on a shard as it stands in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    pub shard: i16,
    pub holder: Uuid,
    /// Counts the renewals: while it rises, the holder is alive. 0 where the shard was free.
    pub beat: i64,
}

/// The relay's own tables in the database of the log. Cheap to clone.
#[derive(Clone, Debug)]
pub struct RelayStore {
    database: Database,
}

impl RelayStore {
    pub fn new(database: impl Into<Database>) -> RelayStore {
        RelayStore { database: database.into() }
    }

    /// Renews the leases of `holder`, takes every shard that nobody holds, and takes over the leases in `ended` that are
    /// still as given. Returns the leases on all shards: the holder's as they are now, the others as they were seen.
    ///
    /// No clock takes part: the caller decides which leases have ended.
    pub async fn hold_shards(&self, holder: Uuid, ended: &[Lease]) -> Result<Vec<Lease>, StoreError> {
        let shards: Vec<i16> = ended.iter().map(|lease| lease.shard).collect();
        let holders: Vec<Uuid> = ended.iter().map(|lease| lease.holder).collect();
        let beats: Vec<i64> = ended.iter().map(|lease| lease.beat).collect();
        // Rows are locked in the order of shards, so that two relays never wait for each other.
        let rows = sqlx::query(
            "with wanted as materialized (
                 select l.shard from relay.leases l
                 where l.holder = $1 or (l.shard, l.holder, l.beat) in (
                     select * from unnest($2::smallint[], $3::uuid[], $4::bigint[])
                 )
                 order by l.shard for update
             ), held as (
                 update relay.leases l set holder = $1, beat = l.beat + 1 from wanted where l.shard = wanted.shard
                 returning l.shard, l.holder, l.beat
             ), taken as (
                 insert into relay.leases (shard, holder)
                 select shard, $1 from generate_series(0, $5 - 1) as shard order by shard
                 on conflict (shard) do nothing
                 returning shard, holder, beat
             )
             select shard, holder, beat from held
             union all select shard, holder, beat from taken
             union all select l.shard, l.holder, l.beat from relay.leases l
                 where l.holder <> $1 and l.shard not in (select held.shard from held)",
        )
        .bind(holder)
        .bind(shards)
        .bind(holders)
        .bind(beats)
        .bind(i32::from(SHARDS))
        .fetch_all(self.database.within(STATEMENT_TIMEOUT))
        .await
        .map_err(StoreError::from_read)?;
        let lease = |row: &PgRow| {
            Ok(Lease { shard: row.try_get(0)?, holder: row.try_get(1)?, beat: row.try_get(2)? })
        };
        rows.iter().map(lease).collect::<Result<_, sqlx::Error>>().map_err(StoreError::from_read)
    }

    /// Returns all leases of the holder, so that another process need not wait for their end.
    pub async fn release_shards(&self, holder: Uuid) -> Result<(), StoreError> {
        sqlx::query("delete from relay.leases where holder = $1")
            .bind(holder)
            .execute(self.database.within(STATEMENT_TIMEOUT))
            .await
            .map(|_| ())
            .map_err(StoreError::from_read)
    }

    /// How far each of these logs is published. A log without progress is not in the result.
    pub async fn published(&self, logs: &[LogKey]) -> Result<HashMap<LogKey, Tip>, StoreError> {
        let keys: Vec<i64> = logs.iter().map(|log| log.0).collect();
        let rows = sqlx::query("select log, position, hash from relay.progress where log = any($1)")
            .bind(keys)
            .fetch_all(self.database.within(STATEMENT_TIMEOUT))
            .await
            .map_err(StoreError::from_read)?;
        rows.iter().map(read_progress).collect()
    }

    /// Moves the progress of many logs by compare-and-set. Returns how many of them moved; the others keep their
    /// progress.
    ///
    /// The commit does not wait for the disk. If a crash undoes it, events are published again, and consumers skip
    /// them.
    pub async fn save_published(&self, progress: &[Published]) -> Result<usize, StoreError> {
        let position = |step: &Published| step.from.map(|from| from.position.0);
        let positions: Vec<Option<i64>> = progress.iter().map(position).collect();
        let hashes: Vec<Option<Vec<u8>>> =
            progress.iter().map(|step| step.from.map(|from| from.hash.0.to_vec())).collect();
        sqlx::query_scalar::<_, i64>(
            "with told as materialized (
                 select told.*
                 from unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bigint[], $5::bytea[])
                         as told (log, from_position, from_hash, to_position, to_hash),
                     set_config('synchronous_commit', 'off', true)
             ), moved as (
                 update relay.progress as p set position = told.to_position, hash = told.to_hash
                 from told where p.log = told.log and p.position = told.from_position and p.hash = told.from_hash
                 returning 1
             ), begun as (
                 insert into relay.progress (log, position, hash)
                 select log, to_position, to_hash from told where from_position is null
                 on conflict (log) do nothing
                 returning 1
             )
             select (select count(*) from moved) + (select count(*) from begun)",
        )
        .bind(progress.iter().map(|step| step.log.0).collect::<Vec<i64>>())
        .bind(positions)
        .bind(hashes)
        .bind(progress.iter().map(|step| step.to.position.0).collect::<Vec<i64>>())
        .bind(progress.iter().map(|step| step.to.hash.0.to_vec()).collect::<Vec<Vec<u8>>>())
        .fetch_one(self.database.within(STATEMENT_TIMEOUT))
        .await
        .map(|moved| usize::try_from(moved).expect("no more rows than steps"))
        .map_err(StoreError::from_read)
    }

    /// Forgets how far the log is published, so that it is published again from its start. A relay that runs notices it
    /// by itself. Consumers skip what they have by position and hash.
    pub async fn forget(&self, log: LogKey) -> Result<(), StoreError> {
        sqlx::query("delete from relay.progress where log = $1")
            .bind(log.0)
            .execute(self.database.within(STATEMENT_TIMEOUT))
            .await
            .map(|_| ())
            .map_err(StoreError::from_read)
    }
}

fn read_progress(row: &PgRow) -> Result<(LogKey, Tip), StoreError> {
    let log: i64 = row.try_get(0).map_err(StoreError::from_read)?;
    let position: i64 = row.try_get(1).map_err(StoreError::from_read)?;
    let bytes: &[u8] = row.try_get(2).map_err(StoreError::from_read)?;
    let hash = EventHash::from_slice(bytes)
        .ok_or_else(|| StoreError::Corrupt(format!("the hash of the progress of log {log} is no hash")))?;
    Ok((LogKey(log), Tip { position: Position(position), hash }))
}
