//! The form of an event as a Kafka record: CloudEvents 1.0 in binary mode.
//!
//! The key is the name of the log, so the events of a log are in one partition and in order. The value is the data of
//! the event, byte for byte. It is never null, so no record is a tombstone. The rest of the envelope is in headers: see
//! [`header`].
//!
//! The hash of an event commits to everything in its record and to the event before it. So a record that was changed is
//! no event, and an event of another log of the same name, or of another history of the log, does not follow from those
//! that a reader has. A record by itself does not show which history it is of: two may have the same position.

use chrono::{DateTime, SecondsFormat, Utc};
use rdkafka::message::{Header, Headers, OwnedHeaders};
use recount_core::{LogName, NameError, Position, RecordedEvent, Tag};
use serde::de::IgnoredAny;
use uuid::Uuid;

/// The names of the headers.
pub mod header {
    pub const SPEC_VERSION: &str = "ce_specversion";
    pub const ID: &str = "ce_id";
    /// The event's type.
    pub const TYPE: &str = "ce_type";
    /// `/logs/` and the log's name.
    pub const SOURCE: &str = "ce_source";
    /// When it was recorded: RFC 3339, microseconds, UTC.
    pub const TIME: &str = "ce_time";
    pub const POSITION: &str = "ce_position";
    /// The version of the event's data.
    pub const SCHEMA_VERSION: &str = "ce_schemaversion";
    /// A JSON array of strings.
    pub const TAGS: &str = "ce_tags";
    /// The event's `meta`, as exact JSON text.
    pub const META: &str = "ce_meta";
    /// The hash of the event before it in its log, in hexadecimal digits; of the first event, the log's origin.
    pub const PREVIOUS: &str = "ce_previous";
    /// The hash of the event, in hexadecimal digits.
    pub const HASH: &str = "ce_hash";
    pub const CONTENT_TYPE: &str = "content-type";
    /// The number of headers of a record.
    pub(super) const COUNT: usize = 12;
}

const SPEC_VERSION: &str = "1.0";
const CONTENT_TYPE: &str = "application/json";
const SOURCE_PREFIX: &str = "/logs/";
/// A hash can be computed only of types up to this length, and no record with a longer one is an event.
const TYPE_BYTES_MAX: usize = u16::MAX as usize;

/// Why a record is not an event of a log.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("the record has no {0}")]
    Missing(&'static str),
    #[error("the {0} of the record cannot be read: {1}")]
    Unreadable(&'static str, String),
    #[error("the key of the record is not the name of a log: {0}")]
    Log(#[from] NameError),
    #[error("the source of the record is `{source_header}`, but its key is `{log}`")]
    OtherSource { source_header: String, log: LogName },
    #[error("the position of the record is {0}, but positions start at 1")]
    Position(i64),
    #[error(
        "the record is not what was recorded at position {position} of `{log}`: its hash is of other content"
    )]
    Changed { log: LogName, position: Position },
}

/// The headers of the event's record.
pub fn headers(log: &LogName, event: &RecordedEvent) -> OwnedHeaders {
    let tags = serde_json::to_string(&event.tags).expect("tags are strings");
    let source = format!("{SOURCE_PREFIX}{log}");
    let time = event.recorded_at.to_rfc3339_opts(SecondsFormat::Micros, true);
    let mut id = Uuid::encode_buffer();
    [
        (header::SPEC_VERSION, SPEC_VERSION),
        (header::ID, event.id.hyphenated().encode_lower(&mut id)),
        (header::TYPE, &event.event_type),
        (header::SOURCE, &source),
        (header::TIME, &time),
        (header::POSITION, &event.position.to_string()),
        (header::SCHEMA_VERSION, &event.version.to_string()),
        (header::TAGS, &tags),
        (header::META, &event.meta),
        (header::PREVIOUS, &event.previous.to_string()),
        (header::HASH, &event.hash.to_string()),
        (header::CONTENT_TYPE, CONTENT_TYPE),
    ]
    .into_iter()
    .fold(OwnedHeaders::new_with_capacity(header::COUNT), |headers, (key, value)| {
        headers.insert(Header { key, value: Some(value) })
    })
}

/// The event that a record carries, if it is one and unchanged.
pub fn event<H: Headers>(
    key: Option<&[u8]>,
    headers: Option<&H>,
    value: Option<&[u8]>,
) -> Result<(LogName, RecordedEvent), RecordError> {
    let headers = HeaderMap::new(headers.ok_or(RecordError::Missing("header"))?);
    let key = key.ok_or(RecordError::Missing("key"))?;
    let log: LogName = utf8("key", key)?.parse()?;
    let source = headers.text(header::SOURCE)?;
    if source.strip_prefix(SOURCE_PREFIX) != Some(log.as_str()) {
        return Err(RecordError::OtherSource { source_header: source.to_owned(), log });
    }
    let position: i64 = headers.parsed(header::POSITION)?;
    if position < 1 {
        return Err(RecordError::Position(position));
    }
    let recorded_at: DateTime<chrono::FixedOffset> = headers.parsed(header::TIME)?;
    let tags: Vec<Tag> = serde_json::from_str(headers.text(header::TAGS)?)
        .map_err(|error| RecordError::Unreadable(header::TAGS, error.to_string()))?;
    let event_type = headers.text(header::TYPE)?;
    if event_type.len() > TYPE_BYTES_MAX {
        return Err(RecordError::Unreadable(header::TYPE, format!("it has {} bytes", event_type.len())));
    }
    let event = RecordedEvent {
        log: log.key(),
        position: Position(position),
        id: headers.parsed(header::ID)?,
        event_type: event_type.to_owned(),
        version: headers.parsed(header::SCHEMA_VERSION)?,
        tags,
        data: json("value", value.ok_or(RecordError::Missing("value"))?)?,
        meta: json(header::META, headers.bytes(header::META)?)?,
        recorded_at: recorded_at.with_timezone(&Utc),
        previous: headers.parsed(header::PREVIOUS)?,
        hash: headers.parsed(header::HASH)?,
    };
    if !event.is_authentic() {
        return Err(RecordError::Changed { log, position: event.position });
    }
    Ok((log, event))
}

/// The headers of a record, by name. If a name occurs twice, the first one counts.
struct HeaderMap<'a>(Vec<Header<'a, &'a [u8]>>);

impl<'a> HeaderMap<'a> {
    fn new<H: Headers>(headers: &'a H) -> HeaderMap<'a> {
        HeaderMap(headers.iter().collect())
    }

    fn bytes(&self, name: &'static str) -> Result<&'a [u8], RecordError> {
        self.0
            .iter()
            .find(|header| header.key == name)
            .and_then(|header| header.value)
            .ok_or(RecordError::Missing(name))
    }

    fn text(&self, name: &'static str) -> Result<&'a str, RecordError> {
        utf8(name, self.bytes(name)?)
    }

    fn parsed<T>(&self, name: &'static str) -> Result<T, RecordError>
    where
        T: std::str::FromStr<Err: std::fmt::Display>,
    {
        self.text(name)?.parse().map_err(|error: T::Err| RecordError::Unreadable(name, error.to_string()))
    }
}

fn utf8<'a>(what: &'static str, bytes: &'a [u8]) -> Result<&'a str, RecordError> {
    std::str::from_utf8(bytes).map_err(|error| RecordError::Unreadable(what, error.to_string()))
}

/// The exact text, if it is JSON.
fn json(what: &'static str, bytes: &[u8]) -> Result<String, RecordError> {
    let text = utf8(what, bytes)?;
    serde_json::from_str::<IgnoredAny>(text)
        .map_err(|error| RecordError::Unreadable(what, error.to_string()))?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests;
