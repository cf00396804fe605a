//! Reading a log in order: all events, or those that concern one entity.

use futures_util::TryStreamExt;
use recount_core::{LogKey, Position, RecordedEvent, Tag};
use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::entities::tag_hash;
use crate::error::StoreError;
use crate::reader::LogReader;

/// About how much memory a page of events may take. The event that exceeds it is still in the page, so a page is never
/// empty because of its size.
const PAGE_BYTES_MAX: usize = 8 << 20;

impl LogReader {
    /// The events that follow `after`, in the order of their positions: up to `limit`, fewer if they are large, and
    /// none only at the end of the log.
    ///
    /// A gap is an error: it means that somebody tampered with the database.
    pub async fn read(
        &self,
        log: LogKey,
        after: Position,
        limit: u32,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        let mut rows = sqlx::query(
            "select position, id, event_type, version, tags, data::text as data, meta::text as meta, recorded_at
             from store.events where log = $1 and position > $2 order by position limit $3",
        )
        .bind(log.0)
        .bind(after.0)
        .bind(i64::from(limit))
        .fetch(self.pool());
        let mut page = Page::default();
        let mut expected = after;
        while let Some(row) = rows.try_next().await.map_err(StoreError::from_read)? {
            let event = read_event(log, &row).map_err(StoreError::from_read)?;
            expected = expected.next();
            if event.position != expected {
                let found = event.position;
                return Err(StoreError::Corrupt(format!(
                    "log {} has no event at {expected} and one at {found}",
                    log.0
                )));
            }
            if page.push(event) {
                break;
            }
        }
        Ok(page.events)
    }

    /// The events with this tag that follow `after`, in the order of their positions: up to `limit`, fewer if they are
    /// large, and none only if there are no more.
    ///
    /// To read on, pass the position of the last event as `after`.
    pub async fn read_tagged(
        &self,
        log: LogKey,
        tag: &Tag,
        after: Position,
        limit: u32,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        // The limit applies after the comparison of the tags, so events with a colliding hash cannot end a page early.
        // `offset 0` keeps the planner from reading the whole log for the join.
        let mut rows = sqlx::query(
            "select e.*
             from (select position from store.event_tags where log = $1 and tag = $2 and position > $3) as concerned
             cross join lateral (
                 select position, id, event_type, version, tags, data::text as data, meta::text as meta, recorded_at
                 from store.events where log = $1 and position = concerned.position offset 0
             ) as e
             where $4 = any (e.tags) order by concerned.position limit $5",
        )
        .bind(log.0)
        .bind(tag_hash(log, tag))
        .bind(after.0)
        .bind(tag.as_str())
        .bind(i64::from(limit))
        .fetch(self.pool());
        let mut page = Page::default();
        while let Some(row) = rows.try_next().await.map_err(StoreError::from_read)? {
            if page.push(read_event(log, &row).map_err(StoreError::from_read)?) {
                break;
            }
        }
        Ok(page.events)
    }
}

/// Events that have been read, and about how much memory they take.
#[derive(Default)]
struct Page {
    events: Vec<RecordedEvent>,
    bytes: usize,
}

impl Page {
    /// Adds an event. Returns whether the page is full.
    fn push(&mut self, event: RecordedEvent) -> bool {
        let tags: usize = event.tags.iter().map(|tag| tag.as_str().len()).sum();
        self.bytes += event.data.len() + event.meta.len() + tags;
        self.events.push(event);
        self.bytes > PAGE_BYTES_MAX
    }
}

fn read_event(log: LogKey, row: &PgRow) -> Result<RecordedEvent, sqlx::Error> {
    Ok(RecordedEvent {
        log,
        position: Position(row.try_get("position")?),
        id: row.try_get("id")?,
        event_type: row.try_get("event_type")?,
        version: row.try_get("version")?,
        tags: row.try_get::<Vec<String>, _>("tags")?.iter().map(|tag| Tag::from_stored(tag)).collect(),
        data: row.try_get("data")?,
        meta: row.try_get("meta")?,
        recorded_at: row.try_get("recorded_at")?,
    })
}
