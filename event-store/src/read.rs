//! Reading a log in order: the feed, as the store has it.

use futures_util::TryStreamExt;
use recount_events::{LogKey, Position, RecordedEvent, Tag};
use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::error::StoreError;
use crate::store::EventStore;

/// What a page of events may take in memory, about. One event more than this is read, so that reading gets on.
const PAGE_BYTES_MAX: usize = 8 << 20;

impl EventStore {
    /// Events that follow `after`, in the order of their positions: up to `limit`, fewer if they are large, and none only
    /// at the end of the log.
    ///
    /// Checks what it reads: a gap means that the database was tampered with, and is an error.
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
        let mut expected = after;
        let mut bytes = 0;
        let mut events = Vec::new();
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
            let tags: usize = event.tags.iter().map(|tag| tag.as_str().len()).sum();
            bytes += event.data.len() + event.meta.len() + tags;
            events.push(event);
            if bytes > PAGE_BYTES_MAX {
                break;
            }
        }
        Ok(events)
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
