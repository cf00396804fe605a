//! The events of a ledger, read from the log itself and not from a read model: they are current, and byte for byte as they
//! were recorded.

use chrono::{DateTime, Utc};
use recount_core::{EventHash, LogName, Position, RecordedEvent, Tag};
use recount_store::{Log, LogReader, StoreError};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

/// Why the log could not be read.
///
/// The text of each error is a clause that clients may see. Internals are only in its source.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EventsError {
    #[error("there is no ledger `{0}`")]
    LedgerUnknown(LogName),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("an event's data is not JSON")]
    NotJson(#[source] serde_json::Error),
}

/// The events that are asked for.
#[derive(Clone, Debug)]
pub(crate) struct EventsRequest {
    /// The position that the page starts behind.
    pub(crate) after: Position,
    /// The maximum number of events.
    pub(crate) limit: u32,
    /// Only events that concern the entity with this tag.
    pub(crate) tag: Option<Tag>,
}

/// A page of a log.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventPage {
    events: Vec<EventRecord>,
    /// The `after` of the next page; null at the end of the log.
    next: Option<i64>,
}

/// An event of the log.
#[derive(Debug, Serialize, ToSchema)]
struct EventRecord {
    position: i64,
    id: Uuid,
    #[serde(rename = "type")]
    event_type: String,
    version: i16,
    /// The entities that the event concerns.
    #[schema(value_type = Vec<String>)]
    tags: Vec<Tag>,
    /// The data, exactly as it was recorded.
    #[schema(value_type = Object)]
    data: Box<RawValue>,
    /// The actor that caused the event, and the trace.
    #[schema(value_type = Object)]
    meta: Box<RawValue>,
    recorded_at: DateTime<Utc>,
    /// Stands for the event and for everything before it: 64 hexadecimal digits.
    #[schema(value_type = String)]
    hash: EventHash,
    /// The hash of the event before it; of the first event, the origin of the log.
    #[schema(value_type = String)]
    previous_hash: EventHash,
}

impl TryFrom<RecordedEvent> for EventRecord {
    type Error = EventsError;

    fn try_from(event: RecordedEvent) -> Result<EventRecord, EventsError> {
        let raw = |text: String| RawValue::from_string(text).map_err(EventsError::NotJson);
        Ok(EventRecord {
            position: event.position.0,
            id: event.id,
            event_type: event.event_type,
            version: event.version,
            tags: event.tags,
            data: raw(event.data)?,
            meta: raw(event.meta)?,
            recorded_at: event.recorded_at,
            hash: event.hash,
            previous_hash: event.previous,
        })
    }
}

/// The log of a ledger. A key is a part of a hash, so a log that has the key but another name is another ledger's.
pub(crate) async fn find_log(reader: &LogReader, ledger: &LogName) -> Result<Log, EventsError> {
    let found = reader.log(ledger.key()).await?.filter(|log| log.name == *ledger);
    found.ok_or_else(|| EventsError::LedgerUnknown(ledger.clone()))
}

/// A page of the log, in order of position.
pub(crate) async fn page(
    reader: &LogReader,
    log: &Log,
    request: &EventsRequest,
) -> Result<EventPage, EventsError> {
    let EventsRequest { after, limit, ref tag } = *request;
    // Keeps positions that no log can have from the store, too.
    if after >= log.tip.position {
        return Ok(EventPage { events: Vec::new(), next: None });
    }
    let events = match tag {
        None => reader.read(log.key, after, limit).await?,
        Some(tag) => reader.read_tagged(log.key, tag, after, limit).await?,
    };
    // An empty page is the end: the last event of an entity's history may lie far before the head.
    let last = events.last().map(|event| event.position);
    Ok(EventPage {
        next: last.filter(|last| *last < log.tip.position).map(|last| last.0),
        events: events.into_iter().map(EventRecord::try_from).collect::<Result<_, _>>()?,
    })
}
