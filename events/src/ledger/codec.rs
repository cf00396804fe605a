//! Events to stored JSON and back. The [registry](super::registry) says which types and versions there are.

use serde::Serialize;
use serde::de::DeserializeOwned;

#[cfg(feature = "schema")]
pub use super::registry::schemas;
pub use super::registry::{EVENT_TYPES, decode, encode};

/// An event's type, version and data as they are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    pub event_type: &'static str,
    pub version: i16,
    pub data: String,
}

/// A stored event that this program cannot read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    #[error("event type `{event_type}` version {version} is unknown: a newer program wrote it")]
    Unknown { event_type: String, version: i16 },
    #[error("the data of a `{event_type}` version {version} event does not have the shape of that version")]
    Data {
        event_type: String,
        version: i16,
        #[source]
        source: serde_json::Error,
    },
}

impl Encoded {
    pub(super) fn new(event_type: &'static str, version: i16, event: &impl Serialize) -> Encoded {
        let data = serde_json::to_string(event);
        let data = data.expect("events hold only strings, numbers and string-keyed maps");
        Encoded { event_type, version, data }
    }
}

/// An event as it was read from a log.
pub(super) struct StoredEvent<'a> {
    pub(super) event_type: &'a str,
    pub(super) version: i16,
    pub(super) data: &'a str,
}

impl StoredEvent<'_> {
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        serde_json::from_str(self.data).map_err(|source| DecodeError::Data {
            event_type: self.event_type.to_owned(),
            version: self.version,
            source,
        })
    }
}
