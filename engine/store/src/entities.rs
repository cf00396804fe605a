//! Loading entities: a snapshot, if there is one, and the later events with the entity's tag.

use recount_core::{LogKey, Position, Tag, Tip};
use sqlx::postgres::PgRow;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::error::StoreError;
use crate::logs::{column, hash};
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

/// The parts of the rows of a page: see `store.load_entities`.
const TIP_MOVED: i32 = -1;
const SNAPSHOT: i32 = 0;
const EVENT: i32 = 1;

/// A row that is read when entities are loaded.
#[derive(Clone, Debug)]
pub enum EntityRow {
    Snapshot(Snapshot),
    Event { tip: Tip, event_type: String, version: i16, tags: Vec<Tag>, data: String },
}

/// An entity to load.
#[derive(Clone, Debug)]
pub struct WantedEntity<'a> {
    pub tag: &'a Tag,
    /// The position up to which it has been read. `None`: it begins with its snapshot, if there is one.
    pub read: Option<Position>,
    /// The last segment with an event that may concern it, if that is known.
    pub last_segment: Option<i32>,
}

/// Where a page of events ends.
#[derive(Clone, Copy, Debug)]
pub struct PageLimit {
    pub events_max: i32,
    /// Bytes of event data as they are stored, where large data is compressed. The event that reaches it is in the page.
    pub stored_bytes_max: i64,
}

impl LogReader {
    /// Reads a page of what makes up these entities: the snapshots of those that were not read before, and then the later
    /// events that concern any of them. Calls `visit` once for each row: first the snapshots, then the events in order.
    /// Ignores snapshots of other versions than `snapshot_version`, and those of a history that the log does not have.
    ///
    /// Returns the position up to which all of them have been read; once that is the position of the tip, they are
    /// complete. Returns `None`, without rows, if the log does not end at `tip`: the entities would be of another moment
    /// than the caller knows.
    ///
    /// `visit` has to compare positions and tags. An event that concerns several entities may precede the snapshot of
    /// one of them, and because of a colliding hash an event may concern none of them.
    pub async fn load_entities<E: From<StoreError>>(
        &self,
        log: LogKey,
        tip: Tip,
        entities: &[WantedEntity<'_>],
        snapshot_version: i16,
        limit: PageLimit,
        mut visit: impl FnMut(EntityRow) -> Result<(), E>,
    ) -> Result<Option<Position>, E> {
        if entities.is_empty() {
            return Ok(Some(tip.position));
        }
        let hashes: Vec<i64> = entities.iter().map(|wanted| tag_hash(log, wanted.tag)).collect();
        let names: Vec<&str> = entities.iter().map(|wanted| wanted.tag.as_str()).collect();
        let read: Vec<Option<i64>> = entities.iter().map(|wanted| wanted.read.map(|read| read.0)).collect();
        let last_segments: Vec<Option<i32>> = entities.iter().map(|wanted| wanted.last_segment).collect();
        let statement = sqlx::query(
            "select part, place, hash, name, version, tags, body::text as body
             from store.load_entities($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(log.0)
        .bind(tip.position.0)
        .bind(&tip.hash.0[..])
        .bind(hashes)
        .bind(names)
        .bind(snapshot_version)
        .bind(read)
        .bind(last_segments)
        .bind(limit.events_max)
        .bind(limit.stored_bytes_max);
        let mut read = None;
        self.visit_rows(statement, |row| {
            match column::<i32>(row, "part")? {
                TIP_MOVED => {}
                part @ (SNAPSHOT | EVENT) => visit(read_row(part, row)?)?,
                _ => read = Some(Position(column(row, "place")?)),
            }
            Ok::<bool, E>(true)
        })
        .await?;
        Ok(read)
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

fn read_row(part: i32, row: &PgRow) -> Result<EntityRow, StoreError> {
    let tip = Tip { position: Position(column(row, "place")?), hash: hash(row, "hash")? };
    let version = column(row, "version")?;
    let name: String = column(row, "name")?;
    let body = column(row, "body")?;
    Ok(match part {
        SNAPSHOT => {
            EntityRow::Snapshot(Snapshot { entity: Tag::from_stored(&name), version, tip, state: body })
        }
        _ => {
            let tags = read_tags(column(row, "tags")?);
            EntityRow::Event { tip, event_type: name, version, tags, data: body }
        }
    })
}
