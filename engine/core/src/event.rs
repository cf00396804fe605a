//! The envelope: what every event carries, whatever its domain.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::hash::EventHash;

/// The key of a log in the store: the first 8 bytes of the SHA-256 of its name, without the sign bit.
///
/// Because the key follows from the name, no process ever looks one up, and the table of logs needs no second unique
/// constraint. If two names have the same key, creating the second log fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LogKey(pub i64);

/// The position of an event in its log: 1, 2, 3 … without a gap. Zero stands before the first event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(pub i64);

impl Position {
    /// The position before the first event.
    pub const START: Position = Position(0);

    /// The position of the next event.
    pub fn next(self) -> Position {
        Position(self.0 + 1)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names an entity that an event concerns, as `kind:name`: `show:hamlet`, `guest:ophelia`.
///
/// A tag never contains a line break: the store passes the tags of an event as lines.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tag(Arc<str>);

impl Tag {
    /// The tag of the entity `name` of this kind.
    ///
    /// # Panics
    ///
    /// Panics if the name contains a line break: the store would take it for two tags. Names that come from outside are
    /// checked where they come in, for instance by [`EntityName`](crate::EntityName).
    pub fn new(kind: &str, name: &str) -> Tag {
        assert!(!name.contains('\n'), "a tag is one line");
        // Every command makes several tags; those of the usual length need no buffer on the heap.
        const USUAL_LEN_MAX: usize = 120;
        let len = kind.len() + 1 + name.len();
        let mut buffer = [0; USUAL_LEN_MAX];
        if let Some(bytes) = buffer.get_mut(..len) {
            bytes[..kind.len()].copy_from_slice(kind.as_bytes());
            bytes[kind.len()] = b':';
            bytes[kind.len() + 1..].copy_from_slice(name.as_bytes());
            if let Ok(tag) = std::str::from_utf8(bytes) {
                return Tag(tag.into());
            }
        }
        Tag(format!("{kind}:{name}").into())
    }

    /// A tag that was read from the store.
    pub fn from_stored(tag: &str) -> Tag {
        Tag(tag.into())
    }

    /// The whole tag.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The kind and the name of the entity.
    pub fn parts(&self) -> (&str, &str) {
        self.0.split_once(':').unwrap_or((&self.0, ""))
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An event that was decided and is not recorded yet: it has no position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    pub id: Uuid,
    pub event_type: &'static str,
    pub version: i16,
    pub tags: Vec<Tag>,
    /// The data, as the exact JSON text that will be stored.
    pub data: String,
    /// Who caused it, in which request: exact JSON text.
    pub meta: Arc<str>,
}

/// An event in its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedEvent {
    pub log: LogKey,
    pub position: Position,
    pub id: Uuid,
    pub event_type: String,
    pub version: i16,
    pub tags: Vec<Tag>,
    /// Exact JSON text, byte for byte as it was recorded.
    pub data: String,
    /// Exact JSON text, byte for byte as it was recorded.
    pub meta: String,
    pub recorded_at: DateTime<Utc>,
    /// The hash of the event before it: see [`EventHash`].
    pub previous: EventHash,
    pub hash: EventHash,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_follow_each_other_from_the_start() {
        assert_eq!(Position::START, Position::default());
        assert_eq!(Position::START.next(), Position(1));
        assert_eq!(Position(41).next().to_string(), "42");
    }

    #[test]
    fn a_tag_is_a_kind_and_a_name_however_long_it_is() {
        for len in [0, 1, 110, 112, 113, 114, 300] {
            let name = "x".repeat(len);
            let tag = Tag::new("show", &name);
            assert_eq!(tag.as_str(), format!("show:{name}"));
            assert_eq!(tag.parts(), ("show", name.as_str()));
            assert_eq!(tag.to_string(), tag.as_str());
            assert_eq!(Tag::from_stored(tag.as_str()), tag);
        }
    }

    #[test]
    fn the_name_of_a_tag_may_hold_colons_and_any_letters() {
        assert_eq!(Tag::new("guest", "users:älice").parts(), ("guest", "users:älice"));
        assert_eq!(Tag::new("house", "").parts(), ("house", ""));
        assert_eq!(Tag::from_stored("odd").parts(), ("odd", ""));
    }
}
