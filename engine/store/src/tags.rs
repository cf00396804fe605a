//! The tags of a log by segment, and the filters of complete segments.

use recount_core::{EventHash, LogKey, Position};

use crate::error::StoreError;
use crate::logs::{column, hash};
use crate::reader::LogReader;
use crate::writer::LogWriter;

/// A segment has 2^22 positions. Part of the stored format: see `store.event_tags`.
pub const SEGMENT_BITS: u32 = 22;

/// The segment that a position lies in.
pub fn segment_of(position: Position) -> i32 {
    i32::try_from(position.0 >> SEGMENT_BITS).unwrap_or(i32::MAX)
}

/// The last position of a segment: it is complete once the log has an event there.
fn last_position(segment: i32) -> i64 {
    ((i64::from(segment) + 1) << SEGMENT_BITS) - 1
}

/// A tag in a segment, and the last position that was read of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TagPlace {
    /// The hash of the tag: see [`tag_hash`](crate::tag_hash).
    pub tag: i64,
    slot: i32,
}

impl LogReader {
    /// The tags of a segment in the order of their hashes, each at least once: a page that goes on after `after`. Reads
    /// up to `rows_max` rows, and returns none only at the end.
    ///
    /// Each page is a statement of its own, so that a long read holds no snapshot.
    pub async fn tags_of_segment(
        &self,
        log: LogKey,
        segment: i32,
        after: Option<TagPlace>,
        rows_max: i64,
    ) -> Result<Vec<TagPlace>, StoreError> {
        let statement = sqlx::query(
            "select p.tag, max(p.slot) as slot
             from (
                 select tag, slot from store.event_tags
                 where log = $1 and segment = $2 and (tag, slot) > ($3, $4) order by tag, slot limit $5
             ) as p
             group by p.tag order by p.tag",
        )
        .bind(log.0)
        .bind(segment)
        .bind(after.map_or(i64::MIN, |after| after.tag))
        .bind(after.map_or(-1, |after| after.slot))
        .bind(rows_max);
        let mut tags = Vec::new();
        self.visit_rows(statement, |row| {
            tags.push(TagPlace { tag: column(row, "tag")?, slot: column(row, "slot")? });
            Ok::<_, StoreError>(true)
        })
        .await?;
        Ok(tags)
    }

    /// How many bytes the filters of this version take that are stored for complete segments of the log, by segment. Those
    /// of a history that the log does not have do not count.
    pub async fn tag_filter_sizes(&self, log: LogKey, version: i16) -> Result<Vec<(i32, usize)>, StoreError> {
        let sizes: Vec<(i32, i32)> = sqlx::query_as(
            "select segment, octet_length(filter) from store.tag_filters
             where log = $1 and version = $2
               and store.is_of_log(log, ((segment::bigint + 1) << 22) - 1, hash)",
        )
        .bind(log.0)
        .bind(version)
        .fetch_all(self.brief())
        .await
        .map_err(StoreError::from_read)?;
        Ok(sizes.into_iter().map(|(segment, bytes)| (segment, usize::try_from(bytes).unwrap_or(0))).collect())
    }

    /// The filter of a complete segment, if one of this version and of the log's history is stored.
    pub async fn tag_filter(
        &self,
        log: LogKey,
        segment: i32,
        version: i16,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        sqlx::query_scalar(
            "select filter from store.tag_filters
             where log = $1 and segment = $2 and version = $3 and store.is_of_log(log, $4, hash)",
        )
        .bind(log.0)
        .bind(segment)
        .bind(version)
        .bind(last_position(segment))
        .fetch_optional(self.scan())
        .await
        .map_err(StoreError::from_read)
    }

    /// The hash of the last event of a segment, if the log is that long. A filter of the segment is of the history that has
    /// it.
    pub async fn end_of_segment(&self, log: LogKey, segment: i32) -> Result<Option<EventHash>, StoreError> {
        let row = sqlx::query("select hash from store.events where log = $1 and position = $2")
            .bind(log.0)
            .bind(last_position(segment))
            .fetch_optional(self.brief())
            .await
            .map_err(StoreError::from_read)?;
        row.as_ref().map(|row| hash(row, "hash")).transpose()
    }
}

impl LogWriter {
    /// Saves the filter of a complete segment, unless the log no longer has the event that it ends with.
    pub async fn save_tag_filter(
        &self,
        log: LogKey,
        segment: i32,
        version: i16,
        end: EventHash,
        filter: &[u8],
    ) -> Result<(), StoreError> {
        sqlx::query(
            "insert into store.tag_filters as k (log, segment, version, hash, filter)
             select $1, $2, $3, $4, $5 where store.is_of_log($1, $6, $4)
             on conflict (log, segment) do update
             set version = excluded.version, hash = excluded.hash, filter = excluded.filter
             where k.version <= excluded.version or k.hash <> excluded.hash",
        )
        .bind(log.0)
        .bind(segment)
        .bind(version)
        .bind(&end.0[..])
        .bind(filter)
        .bind(last_position(segment))
        .execute(self.reader().scan())
        .await
        .map(|_| ())
        .map_err(StoreError::from_read)
    }
}
