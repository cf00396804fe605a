//! Loading entities: a snapshot, if there is one, and the later events with the entity's tag.

use std::time::Duration;

use recount_core::{LogKey, Position, Tag, Tip};
use sqlx::Row;
use sqlx::postgres::PgRow;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::error::StoreError;
use crate::logs::{column, hash};
use crate::outcomes::KeyHash;
use crate::read::read_tags;
use crate::reader::LogReader;
use crate::writer::LogWriter;

/// The 64 bits by which the store finds a tag in a log. Part of the stored format.
///
/// Hashes can collide, so a reader compares the tags too.
pub fn tag_hash(log: LogKey, tag: &Tag) -> i64 {
    xxh3_64_with_seed(tag.as_str().as_bytes(), log.0.cast_unsigned()).cast_signed()
}

/// The state of an entity after the event at a tip, as text in a form that the writer chooses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    pub entity: Tag,
    pub version: i16,
    pub tip: Tip,
    pub state: String,
}

/// How long reading all tags or keys of a log may take: tens of millions of rows.
const SEEN_TIMEOUT: Duration = Duration::from_secs(600);

/// The part of the one row that says that the log does not end at the tip.
const TIP_MOVED: i32 = -1;

/// A row that is read when entities are loaded.
#[derive(Clone, Debug)]
pub enum EntityRow {
    Snapshot(Snapshot),
    Event { tip: Tip, event_type: String, version: i16, tags: Vec<Tag>, data: String },
}

impl LogReader {
    /// Reads the snapshots of the entities and all later events that concern them, with one query. Calls `visit` once
    /// for each row: first the snapshots, then the events in order. Ignores snapshots of other versions than
    /// `snapshot_version`, and those of a history that the log does not have.
    ///
    /// Returns false, without rows, if the log does not end at `tip`: the entities would be of another moment than the
    /// caller knows.
    ///
    /// `visit` has to compare positions and tags. An event that concerns several entities may precede the snapshot of
    /// one of them, and because of a colliding hash an event may concern none of them.
    pub async fn load_entities<E: From<StoreError>>(
        &self,
        log: LogKey,
        tip: Tip,
        entities: &[Tag],
        snapshot_version: i16,
        mut visit: impl FnMut(EntityRow) -> Result<(), E>,
    ) -> Result<bool, E> {
        let hashes: Vec<i64> = entities.iter().map(|tag| tag_hash(log, tag)).collect();
        let names: Vec<&str> = entities.iter().map(Tag::as_str).collect();
        let statement = sqlx::query("select * from store.load_entities($1, $2, $3, $4, $5, $6)")
            .bind(log.0)
            .bind(tip.position.0)
            .bind(&tip.hash.0[..])
            .bind(hashes)
            .bind(names)
            .bind(snapshot_version);
        let mut is_at_tip = true;
        self.visit_rows(statement, |row| {
            is_at_tip = column::<i32>(row, "part")? != TIP_MOVED;
            if is_at_tip {
                visit(read_row(row)?)?;
            }
            Ok::<bool, E>(true)
        })
        .await?;
        Ok(is_at_tip)
    }

    /// Calls `visit` with the hash of every tag and of every idempotency key in the log, until it returns false. From
    /// these a writer knows without a query that a tag or a key is new. Returns whether `visit` saw all of them.
    pub async fn visit_seen(
        &self,
        log: LogKey,
        mut visit: impl FnMut(Seen) -> bool,
    ) -> Result<bool, StoreError> {
        let tags = sqlx::query("select tag from store.event_tags where log = $1").bind(log.0);
        let seen_tag = |row: &PgRow| row.try_get(0).map(Seen::Tag).map_err(StoreError::from_read);
        if !self.visit_rows_for(SEEN_TIMEOUT, tags, |row| Ok::<_, StoreError>(visit(seen_tag(row)?))).await? {
            return Ok(false);
        }
        let keys = sqlx::query("select key from store.outcomes where log = $1").bind(log.0);
        let seen_key =
            |row: &PgRow| row.try_get(0).map(KeyHash).map(Seen::Key).map_err(StoreError::from_read);
        self.visit_rows_for(SEEN_TIMEOUT, keys, |row| Ok(visit(seen_key(row)?))).await
    }
}

impl LogWriter {
    /// Saves snapshots. A snapshot replaces one of an earlier version or position, and one of a history that the log does
    /// not have.
    pub async fn save_snapshots(&self, log: LogKey, snapshots: &[Snapshot]) -> Result<(), StoreError> {
        let tags: Vec<i64> = snapshots.iter().map(|snapshot| tag_hash(log, &snapshot.entity)).collect();
        let entities: Vec<&str> = snapshots.iter().map(|snapshot| snapshot.entity.as_str()).collect();
        let versions: Vec<i16> = snapshots.iter().map(|snapshot| snapshot.version).collect();
        let positions: Vec<i64> = snapshots.iter().map(|snapshot| snapshot.tip.position.0).collect();
        let hashes: Vec<&[u8]> = snapshots.iter().map(|snapshot| &snapshot.tip.hash.0[..]).collect();
        let states: Vec<&str> = snapshots.iter().map(|snapshot| snapshot.state.as_str()).collect();
        sqlx::query(
            "insert into store.snapshots as k (log, tag, entity, version, position, hash, state)
             select $1, s.tag, s.entity, s.version, s.position, s.hash, s.state::json
             from unnest($2::bigint[], $3::text[], $4::smallint[], $5::bigint[], $6::bytea[], $7::text[])
                  as s(tag, entity, version, position, hash, state)
             order by s.tag, s.entity
             on conflict (log, tag, entity) do update
             set version = excluded.version, position = excluded.position, hash = excluded.hash, state = excluded.state
             where (k.version, k.position) < (excluded.version, excluded.position)
                or not store.is_of_log(k.log, k.position, k.hash)",
        )
        .bind(log.0)
        .bind(tags)
        .bind(entities)
        .bind(versions)
        .bind(positions)
        .bind(hashes)
        .bind(states)
        .execute(self.reader().scan())
        .await
        .map(|_| ())
        .map_err(StoreError::from_read)
    }
}

/// A tag or an idempotency key that is in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The hash of a tag: see [`tag_hash`].
    Tag(i64),
    Key(KeyHash),
}

fn read_row(row: &PgRow) -> Result<EntityRow, StoreError> {
    let tip = Tip { position: Position(column(row, "place")?), hash: hash(row, "hash")? };
    let version = column(row, "version")?;
    let name: String = column(row, "name")?;
    let body = column(row, "body")?;
    Ok(match column::<i32>(row, "part")? {
        0 => EntityRow::Snapshot(Snapshot { entity: Tag::from_stored(&name), version, tip, state: body }),
        _ => {
            let tags = read_tags(column(row, "tags")?);
            EntityRow::Event { tip, event_type: name, version, tags, data: body }
        }
    })
}
