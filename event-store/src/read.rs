//! Reading a log in order: the feed, as the store has it.

use recount_events::{LogKey, Position, RecordedEvent, Tag};
use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::error::StoreError;
use crate::store::EventStore;

impl EventStore {
    /// Up to `limit` events that follow `after`, in the order of their positions.
    ///
    /// Checks what it reads: a gap means that the database was tampered with, and is an error.
    pub async fn read(
        &self,
        log: LogKey,
        after: Position,
        limit: u32,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        let rows = sqlx::query(
            "select position, id, event_type, version, tags, data::text as data, meta::text as meta, recorded_at
             from store.events where log = $1 and position > $2 order by position limit $3",
        )
        .bind(log.0)
        .bind(after.0)
        .bind(i64::from(limit))
        .fetch_all(self.pool())
        .await
        .map_err(StoreError::from_read)?;
        let mut expected = after;
        let mut events = Vec::with_capacity(rows.len());
        for row in &rows {
            let event = read_event(log, row).map_err(StoreError::from_read)?;
            expected = expected.next();
            if event.position != expected {
                let found = event.position;
                return Err(StoreError::Corrupt(format!(
                    "log {} has no event at {expected} and one at {found}",
                    log.0
                )));
            }
            events.push(event);
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
