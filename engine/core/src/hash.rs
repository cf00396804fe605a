//! The hash of an event, which is also a leaf of its log's Merkle tree.
//!
//! # The form of a leaf, version 1
//!
//! The hash is `SHA-256(0x00 || leaf)`, as RFC 6962 hashes the leaves of a tree. Numbers are big-endian.
//!
//! | bytes | content |
//! | --- | --- |
//! | 1 | the version of this form: 1 |
//! | 32 | the hash of the previous event; of the first event, the log's [origin](EventHash::origin) |
//! | 8 | the key of the log |
//! | 8 | the position |
//! | 16 | the id of the event |
//! | 8 | `recorded_at` in microseconds since 1970-01-01 UTC, signed |
//! | 2 | the version of the data, signed |
//! | 2 | the length of the type in bytes |
//! | so many | the type in UTF-8 |
//! | 32 | SHA-256 of the tags: of each, its length in bytes (4) and its UTF-8 |
//! | 32 | SHA-256 of the data as stored |
//! | 32 | SHA-256 of the meta as stored |
//!
//! A leaf is small whatever the event carries, and it holds data only as a hash, so it can outlive the data. Because a
//! leaf contains the hash of the previous one, a hash stands for the event and for everything before it: two logs with
//! the same hash at a position have the same history.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{LogKey, LogName, NewEvent, Position, RecordedEvent, Tag};

const LEAF_FORM: u8 = 1;
const LEAF_PREFIX: [u8; 1] = [0];
/// Begins what is hashed for an origin, so that it is no leaf and no node.
const ORIGIN_PREFIX: &[u8] = b"recount log v1\n";
/// About the size of a leaf with a type of the usual length.
const LEAF_LEN: usize = 256;

/// Stands for an event and for everything before it in its log. As text: 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventHash(pub [u8; 32]);

impl EventHash {
    /// What stands before the first event of a log. It contains an id that was drawn when the log was created, so logs
    /// of the same name in two deployments have nothing in common.
    pub fn origin(id: Uuid, name: &LogName) -> EventHash {
        let hash = Sha256::new().chain_update(ORIGIN_PREFIX).chain_update(id.as_bytes());
        EventHash(hash.chain_update(name.as_str()).finalize().into())
    }

    /// The hash of an event that follows `previous`.
    pub fn of(previous: EventHash, event: &Envelope<'_>) -> EventHash {
        let mut leaf = Vec::with_capacity(LEAF_LEN);
        leaf.push(LEAF_FORM);
        leaf.extend(previous.0);
        leaf.extend(event.log.0.to_be_bytes());
        leaf.extend(event.position.0.to_be_bytes());
        leaf.extend(event.id.as_bytes());
        leaf.extend(event.recorded_at.timestamp_micros().to_be_bytes());
        leaf.extend(event.version.to_be_bytes());
        let type_len = u16::try_from(event.event_type.len()).expect("a type is a name, far below 64 KiB");
        leaf.extend(type_len.to_be_bytes());
        leaf.extend(event.event_type.as_bytes());
        leaf.extend(hash_of_tags(event.tags));
        leaf.extend(Sha256::digest(event.data));
        leaf.extend(Sha256::digest(event.meta));
        EventHash(Sha256::new().chain_update(LEAF_PREFIX).chain_update(leaf).finalize().into())
    }

    /// From 32 bytes; `None` if there are more or fewer.
    pub fn from_slice(bytes: &[u8]) -> Option<EventHash> {
        bytes.try_into().ok().map(EventHash)
    }
}

fn hash_of_tags(tags: &[Tag]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for tag in tags {
        let len = u32::try_from(tag.as_str().len()).expect("a tag is a name, far below 4 GiB");
        hasher.update(len.to_be_bytes());
        hasher.update(tag.as_str());
    }
    hasher.finalize().into()
}

/// What a hash commits to, beside the previous hash.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    pub log: LogKey,
    pub position: Position,
    pub id: Uuid,
    pub event_type: &'a str,
    pub version: i16,
    pub tags: &'a [Tag],
    pub data: &'a str,
    pub meta: &'a str,
    pub recorded_at: DateTime<Utc>,
}

impl NewEvent {
    /// The envelope that the event will have in this place.
    pub fn envelope(&self, log: LogKey, position: Position, recorded_at: DateTime<Utc>) -> Envelope<'_> {
        let NewEvent { id, event_type, version, tags, data, meta } = self;
        Envelope { log, position, id: *id, event_type, version: *version, tags, data, meta, recorded_at }
    }
}

impl RecordedEvent {
    /// What the event's hash commits to.
    pub fn envelope(&self) -> Envelope<'_> {
        Envelope {
            log: self.log,
            position: self.position,
            id: self.id,
            event_type: &self.event_type,
            version: self.version,
            tags: &self.tags,
            data: &self.data,
            meta: &self.meta,
            recorded_at: self.recorded_at,
        }
    }

    /// Whether the event is unchanged since it was recorded after the event that it names as its previous one.
    pub fn is_authentic(&self) -> bool {
        EventHash::of(self.previous, &self.envelope()) == self.hash
    }
}

impl fmt::Display for EventHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for EventHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventHash({self})")
    }
}

/// The text is not a hash.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a hash has 64 hexadecimal digits")]
pub struct HashError;

impl FromStr for EventHash {
    type Err = HashError;

    fn from_str(text: &str) -> Result<EventHash, HashError> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err(HashError);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |digit: u8| char::from(digit).to_digit(16).ok_or(HashError);
            *byte = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).map_err(|_| HashError)?;
        }
        Ok(EventHash(bytes))
    }
}

impl Serialize for EventHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EventHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<EventHash, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// Where a log ends, and what it is up to there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Tip {
    pub position: Position,
    /// The hash of the event at the position; before the first event, the log's [origin](EventHash::origin).
    pub hash: EventHash,
}

impl Tip {
    /// The start of a log.
    pub fn origin(id: Uuid, name: &LogName) -> Tip {
        Tip { position: Position::START, hash: EventHash::origin(id, name) }
    }

    /// The log up to this event.
    pub fn at(event: &RecordedEvent) -> Tip {
        Tip { position: event.position, hash: event.hash }
    }

    /// Whether the event is the next one of the log that ends here, unchanged.
    pub fn leads_to(&self, event: &RecordedEvent) -> bool {
        event.position == self.position.next() && event.previous == self.hash && event.is_authentic()
    }
}

impl fmt::Display for Tip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.position, self.hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin() -> EventHash {
        let id = Uuid::parse_str("018f0000-0000-7000-8000-000000000000").unwrap();
        EventHash::origin(id, &"main".parse().unwrap())
    }

    fn event() -> RecordedEvent {
        let mut event = RecordedEvent {
            log: "main".parse::<LogName>().unwrap().key(),
            position: Position(1),
            id: Uuid::parse_str("018f0000-0000-7000-8000-000000000001").unwrap(),
            event_type: "seat-booked".to_owned(),
            version: 2,
            tags: vec![Tag::new("show", "hamlet"), Tag::new("guest", "älice")],
            data: r#"{"seat":"A1"}"#.to_owned(),
            meta: "{}".to_owned(),
            recorded_at: DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap(),
            previous: origin(),
            hash: origin(),
        };
        event.hash = EventHash::of(event.previous, &event.envelope());
        event
    }

    /// The stored form: another program computes the same from the documented bytes.
    #[test]
    fn the_form_of_a_leaf_is_fixed() {
        assert_eq!(origin().to_string(), "41685088d733ff18523903a554994df5942f85fc28a32376c299077b3cc1f671");
        assert_eq!(
            event().hash.to_string(),
            "654e9397c1d5f368254647a79de2b2d2a0df44255e5231096db36a550809879b"
        );
    }

    #[test]
    fn a_change_of_any_part_is_noticed() {
        let changes: [fn(&mut RecordedEvent); 10] = [
            |event| event.log.0 += 1,
            |event| event.position.0 += 1,
            |event| event.id = Uuid::nil(),
            |event| event.event_type.push('x'),
            |event| event.version += 1,
            |event| event.tags.reverse(),
            |event| event.data = event.data.replace("A1", "A2"),
            |event| event.meta.push(' '),
            |event| event.recorded_at += chrono::TimeDelta::microseconds(1),
            |event| event.previous.0[31] ^= 1,
        ];
        let tip = Tip { position: Position::START, hash: origin() };
        assert!(tip.leads_to(&event()));
        for change in changes {
            let mut changed = event();
            change(&mut changed);
            assert!(!changed.is_authentic(), "{changed:?}");
            assert!(!tip.leads_to(&changed), "{changed:?}");
        }
    }

    #[test]
    fn tags_are_told_apart_by_their_lengths() {
        let hash =
            |tags: &[&str]| hash_of_tags(&tags.iter().map(|tag| Tag::from_stored(tag)).collect::<Vec<_>>());
        assert_ne!(hash(&["ab", "c"]), hash(&["a", "bc"]));
        assert_ne!(hash(&["ab"]), hash(&["ab", ""]));
    }

    #[test]
    fn a_hash_is_read_as_it_is_shown() {
        let hash = event().hash;
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert_eq!(serde_json::from_str::<EventHash>(&serde_json::to_string(&hash).unwrap()).unwrap(), hash);
        for wrong in ["", "00", &"0".repeat(65), &"g".repeat(64), &"é".repeat(32)] {
            assert_eq!(wrong.parse::<EventHash>(), Err(HashError), "{wrong}");
        }
    }
}
