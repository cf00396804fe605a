//! Reading a log in order: all events, or those that concern one entity.

use recount_core::{EventHash, LogKey, Position, RecordedEvent, Tag, Tip};
use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::entities::tag_hash;
use crate::error::StoreError;
use crate::logs::hash;
use crate::reader::LogReader;

/// About how much memory a page of events may take. The event that exceeds it is still in the page, so a page is never
/// empty because of its size.
const PAGE_BYTES_MAX: usize = 8 << 20;
/// The same by the size in the store, where large events are compressed. The server stops there, so that it does not send
/// what would be thrown away.
const PAGE_STORED_BYTES_MAX: i64 = 4 << 20;

/// Events from a position on, with the one before it for its hash, up to a limit of rows and of bytes.
const READ: &str = "
    select position, id, event_type, version, tags, data::text as data, meta::text as meta, recorded_at, hash
    from (
        select e.*, sum(pg_column_size(data) + pg_column_size(meta)) over (order by position) as bytes
        from store.events e where log = $1 and position >= $2 order by position limit $3
    ) as page
    where position - 1 <= $2 or bytes - pg_column_size(data) - pg_column_size(meta) < $4
    order by position";

impl LogReader {
    /// The events that follow a tip: up to `limit`, fewer if they are large, and none only at the end of the log.
    ///
    /// # Errors
    ///
    /// [`StoreError::Diverged`] if the log does not contain the tip: it went back, was rewritten, or is another log.
    /// [`StoreError::Corrupt`] if an event does not follow from the one before it: somebody changed the database.
    pub async fn read_after(
        &self,
        log: LogKey,
        tip: Tip,
        limit: u32,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        let page = self.page(log, tip.position, limit).await?;
        if page.before.is_some_and(|before| before != tip.hash)
            || (page.before.is_none() && tip.position > Position::START)
            || page.events.first().is_some_and(|first| first.previous != tip.hash)
        {
            return Err(StoreError::Diverged(tip));
        }
        match page.events.iter().find(|event| !event.is_authentic()) {
            Some(event) => Err(StoreError::Corrupt(format!(
                "the event at {} of log {} is not the one that was recorded",
                event.position, log.0
            ))),
            None => Ok(page.events),
        }
    }

    /// The events that follow a position: up to `limit`, fewer if they are large, and none only at the end of the log.
    ///
    /// A gap is an error: it means that somebody tampered with the database.
    pub async fn read(
        &self,
        log: LogKey,
        after: Position,
        limit: u32,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        Ok(self.page(log, after, limit).await?.events)
    }

    async fn page(&self, log: LogKey, after: Position, limit: u32) -> Result<Page, StoreError> {
        let mut page = Page::default();
        // There is no event before the first one: what stands there is the origin of the log.
        let mut previous = None;
        if after == Position::START {
            previous = self.origin(log).await?;
        }
        let rows = i64::from(limit) + i64::from(after > Position::START);
        let statement = sqlx::query(READ).bind(log.0).bind(after.0).bind(rows).bind(PAGE_STORED_BYTES_MAX);
        self.visit_rows(statement, |row| {
            let hash = hash(row, "hash")?;
            let position = Position(row.try_get("position").map_err(StoreError::from_read)?);
            if position == after {
                page.before = Some(hash);
            } else {
                let expected = page.events.last().map_or(after, |last| last.position).next();
                let (true, Some(previous)) = (position == expected, previous) else {
                    return Err(gap(log, expected, position));
                };
                page.push(read_event(log, row, previous, hash).map_err(StoreError::from_read)?);
            }
            previous = Some(hash);
            Ok(page.bytes <= PAGE_BYTES_MAX)
        })
        .await?;
        Ok(page)
    }

    async fn origin(&self, log: LogKey) -> Result<Option<EventHash>, StoreError> {
        let row = sqlx::query("select origin from store.logs where log = $1")
            .bind(log.0)
            .fetch_optional(self.brief())
            .await
            .map_err(StoreError::from_read)?;
        row.as_ref().map(|row| hash(row, "origin")).transpose()
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
        let mut page = Page::default();
        let mut after = after;
        // Events with a colliding hash are left out, which must not end the page early.
        while page.events.len() < limit as usize && page.bytes <= PAGE_BYTES_MAX {
            let wanted = limit - u32::try_from(page.events.len()).unwrap_or(limit);
            let Some(last) = self.tagged_page(log, tag, after, wanted, &mut page).await? else { break };
            after = last;
        }
        Ok(page.events)
    }

    /// Adds the next events with the hash of this tag to the page. Returns the position of the last one that was read,
    /// or `None` if there are no more.
    async fn tagged_page(
        &self,
        log: LogKey,
        tag: &Tag,
        after: Position,
        limit: u32,
        page: &mut Page,
    ) -> Result<Option<Position>, StoreError> {
        let statement = sqlx::query(
            "select e.position, e.id, e.event_type, e.version, e.tags, e.data::text as data, e.meta::text as meta,
                    e.recorded_at, e.hash, coalesce(p.hash, l.origin) as previous
             from store.tagged($1, $2, $3, $4) as t(position)
             cross join lateral (
                 select k.* from store.events k where k.log = $1 and k.position = t.position offset 0
             ) as e
             left join lateral (
                 select k.hash from store.events k where k.log = $1 and k.position = t.position - 1 offset 0
             ) as p on true
             left join store.logs l on l.log = $1",
        )
        .bind(log.0)
        .bind(tag_hash(log, tag))
        .bind(after.0)
        .bind(i64::from(limit));
        let mut last = None;
        self.visit_rows(statement, |row| {
            let (previous, hash) = (hash(row, "previous")?, hash(row, "hash")?);
            let event = read_event(log, row, previous, hash).map_err(StoreError::from_read)?;
            last = Some(event.position);
            if event.tags.contains(tag) {
                page.push(event);
            }
            Ok::<_, StoreError>(page.bytes <= PAGE_BYTES_MAX)
        })
        .await?;
        Ok(last)
    }
}

fn gap(log: LogKey, expected: Position, found: Position) -> StoreError {
    StoreError::Corrupt(format!("log {} has no event at {expected} and one at {found}", log.0))
}

/// Events that have been read, and about how much memory they take.
#[derive(Default)]
struct Page {
    /// The hash of the event before the first one.
    before: Option<EventHash>,
    events: Vec<RecordedEvent>,
    bytes: usize,
}

impl Page {
    fn push(&mut self, event: RecordedEvent) {
        let tags: usize = event.tags.iter().map(|tag| tag.as_str().len()).sum();
        self.bytes += event.data.len() + event.meta.len() + tags;
        self.events.push(event);
    }
}

fn read_event(
    log: LogKey,
    row: &PgRow,
    previous: EventHash,
    hash: EventHash,
) -> Result<RecordedEvent, sqlx::Error> {
    Ok(RecordedEvent {
        log,
        position: Position(row.try_get("position")?),
        id: row.try_get("id")?,
        event_type: row.try_get("event_type")?,
        version: row.try_get("version")?,
        tags: read_tags(row.try_get("tags")?),
        data: row.try_get("data")?,
        meta: row.try_get("meta")?,
        recorded_at: row.try_get("recorded_at")?,
        previous,
        hash,
    })
}

/// The tags of an event, which are stored as lines.
pub(crate) fn read_tags(lines: &str) -> Vec<Tag> {
    // Not `lines()`, which takes a carriage return before a line break for a part of it.
    lines.split_terminator('\n').map(Tag::from_stored).collect()
}
