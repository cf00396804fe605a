//! The logs: creating one, opening it where it ends, and finding those that have moved.

use chrono::{DateTime, Utc};
use recount_core::{EventHash, Frontier, LogKey, LogName, Position, Tip};
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::error::StoreError;
use crate::reader::LogReader;
use crate::writer::LogWriter;

/// A log and where it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    pub key: LogKey,
    /// Drawn when the log was created.
    pub id: Uuid,
    pub name: LogName,
    pub tip: Tip,
    /// An append has to give the current fence: see [`LogWriter::raise_fence`].
    pub fence: i64,
    /// When the event at the tip was recorded. No later event is recorded at an earlier time.
    pub recorded_at: DateTime<Utc>,
}

/// A log and where it ended when it was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovedLog {
    pub key: LogKey,
    pub name: LogName,
    pub tip: Tip,
}

/// What a look at the news found.
#[derive(Debug)]
pub(crate) struct News {
    pub logs: Vec<MovedLog>,
    /// The snapshot of the look, as Postgres writes it: which transactions were over.
    pub snapshot: String,
    /// The first transaction that had not begun.
    pub next_transaction: i64,
    /// The history of the server: another one after a failover. `None` where the server does not tell.
    pub timeline: Option<String>,
}

impl LogWriter {
    /// Creates the log if it does not exist.
    pub async fn create_log(&self, name: &LogName) -> Result<(), StoreError> {
        let existing: String = sqlx::query_scalar("select store.create_log($1, $2)")
            .bind(name.key().0)
            .bind(name.as_str())
            .fetch_one(self.brief())
            .await
            .map_err(StoreError::from_read)?;
        if existing == name.as_str() {
            Ok(())
        } else {
            Err(StoreError::KeyCollision { wanted: name.to_string(), existing })
        }
    }
}

impl LogReader {
    /// The log with this key, if it exists.
    pub async fn log(&self, log: LogKey) -> Result<Option<Log>, StoreError> {
        let row = sqlx::query(
            "select l.log, l.id, l.name, l.fence, t.position, t.hash, t.recorded_at
             from store.logs l cross join lateral store.tip(l.log) t where l.log = $1",
        )
        .bind(log.0)
        .fetch_optional(self.brief())
        .await
        .map_err(StoreError::from_read)?;
        row.as_ref().map(read_log).transpose()
    }

    /// Whether the log had this tip: it ends there, or it went on from there.
    pub async fn contains(&self, log: LogKey, tip: Tip) -> Result<bool, StoreError> {
        sqlx::query_scalar("select store.is_of_log($1, $2, $3)")
            .bind(log.0)
            .bind(tip.position.0)
            .bind(&tip.hash.0[..])
            .fetch_one(self.brief())
            .await
            .map_err(StoreError::from_read)
    }

    /// Logs and where they end, in the order of their keys: up to `limit`, and fewer only if there are no more.
    pub async fn logs_after(&self, after: Option<LogKey>, limit: u32) -> Result<Vec<MovedLog>, StoreError> {
        let rows = sqlx::query(
            "select l.log, l.name, coalesce(t.position, 0) as position, coalesce(t.hash, l.origin) as hash
             from (select log, name, origin from store.logs where log > $1 order by log limit $2) l
             left join lateral (
                 select e.position, e.hash from store.events e where e.log = l.log order by e.position desc limit 1
             ) t on true
             order by l.log",
        )
        .bind(after.map_or(i64::MIN, |after| after.0))
        .bind(i64::from(limit))
        .fetch_all(self.look())
        .await
        .map_err(StoreError::from_read)?;
        rows.iter().map(read_moved_log).collect()
    }

    /// The logs that have moved since the snapshot of an earlier look, each once. Without one there are no news, only the
    /// snapshot for the next look.
    ///
    /// News are of transactions that had not begun at the earlier look, or were running. Not all since the oldest that was
    /// running: one that somebody has forgotten would make every look longer.
    pub(crate) async fn news(&self, since: Option<&str>) -> Result<News, StoreError> {
        let rows = sqlx::query(
            "select s.snapshot::text as snapshot, pg_snapshot_xmax(s.snapshot)::text::bigint as next_transaction,
                    s.timeline, n.log, l.name, n.position, n.hash
             from (
                 select pg_current_snapshot() as snapshot,
                        case when not pg_is_in_recovery() then left(pg_walfile_name(pg_current_wal_lsn()), 8) end
                            as timeline
             ) as s
             left join lateral (
                 select distinct on (k.log) k.log, k.position, k.hash
                 from (
                     select n.log, n.position, n.hash from store.news n
                     -- A standby does not list what is running.
                     where n.xid >= case when s.timeline is null then pg_snapshot_xmin($1::text::pg_snapshot)
                                         else pg_snapshot_xmax($1::text::pg_snapshot) end
                       -- What a restored dump brought along has numbers of another server.
                       and n.xid < pg_snapshot_xmax(s.snapshot)
                     union all
                     select n.log, n.position, n.hash
                     from pg_snapshot_xip($1::text::pg_snapshot) as running(xid)
                     cross join lateral (
                         select m.log, m.position, m.hash from store.news m where m.xid = running.xid offset 0
                     ) as n
                 ) as k
                 order by k.log, k.position desc
             ) as n on true
             left join store.logs l on l.log = n.log",
        )
        .bind(since)
        .fetch_all(self.look())
        .await
        .map_err(StoreError::from_read)?;
        let first = rows.first().ok_or_else(|| StoreError::Corrupt("a look has no snapshot".to_owned()))?;
        let (snapshot, timeline) = (column(first, "snapshot")?, column(first, "timeline")?);
        let next_transaction = column(first, "next_transaction")?;
        let is_log = |row: &&PgRow| column::<Option<String>>(row, "name").is_ok_and(|name| name.is_some());
        let logs = rows.iter().filter(is_log).map(read_moved_log).collect::<Result<_, _>>()?;
        Ok(News { logs, snapshot, next_transaction, timeline })
    }

    /// The Merkle frontier of the log up to this tip. It is read from the last one that was kept, and the hashes after
    /// it.
    pub async fn frontier(&self, log: LogKey, tip: Tip) -> Result<Frontier, StoreError> {
        let kept: Option<(i64, Vec<u8>)> = sqlx::query_as(
            "select f.position, f.frontier from store.frontiers f
             where f.log = $1 and f.position <= $2 and store.is_of_log(f.log, f.position, f.hash)
             order by f.position desc limit 1",
        )
        .bind(log.0)
        .bind(tip.position.0)
        .fetch_optional(self.brief())
        .await
        .map_err(StoreError::from_read)?;
        let mut frontier = match kept {
            Some((position, bytes)) => Frontier::from_bytes(Position(position), &bytes)
                .map_err(|error| StoreError::Corrupt(error.to_string()))?,
            None => Frontier::default(),
        };
        let mut last = None;
        let hashes = sqlx::query(
            "select hash from store.events where log = $1 and position > $2 and position <= $3 order by position",
        )
        .bind(log.0)
        .bind(frontier.position().0)
        .bind(tip.position.0);
        self.visit_rows(hashes, |row| {
            let hash = hash(row, "hash")?;
            frontier.push(hash);
            last = Some(hash);
            Ok::<_, StoreError>(true)
        })
        .await?;
        if frontier.position() == tip.position && last.is_none_or(|last| last == tip.hash) {
            Ok(frontier)
        } else {
            Err(StoreError::Diverged(tip))
        }
    }
}

fn read_log(row: &PgRow) -> Result<Log, StoreError> {
    Ok(Log {
        key: LogKey(column(row, "log")?),
        id: column(row, "id")?,
        name: log_name(row, "name")?,
        tip: read_tip(row)?,
        fence: column(row, "fence")?,
        recorded_at: column(row, "recorded_at")?,
    })
}

fn read_moved_log(row: &PgRow) -> Result<MovedLog, StoreError> {
    Ok(MovedLog { key: LogKey(column(row, "log")?), name: log_name(row, "name")?, tip: read_tip(row)? })
}

pub(crate) fn read_tip(row: &PgRow) -> Result<Tip, StoreError> {
    Ok(Tip { position: Position(column(row, "position")?), hash: hash(row, "hash")? })
}

pub(crate) fn hash(row: &PgRow, name: &str) -> Result<EventHash, StoreError> {
    let bytes: &[u8] = column(row, name)?;
    EventHash::from_slice(bytes)
        .ok_or_else(|| StoreError::Corrupt(format!("a hash has {} bytes", bytes.len())))
}

pub(crate) fn log_name(row: &PgRow, name: &str) -> Result<LogName, StoreError> {
    column::<String>(row, name)?.parse().map_err(|error| StoreError::Corrupt(format!("{error}")))
}

pub(crate) fn column<'r, T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>>(
    row: &'r PgRow,
    name: &str,
) -> Result<T, StoreError> {
    row.try_get(name).map_err(StoreError::from_read)
}
