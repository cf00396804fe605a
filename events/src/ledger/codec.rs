//! Stored JSON and back.
//!
//! Each event type has a name and a schema version. A change of shape gets a new version here, an arm in
//! [`decode`] that brings the old version up to date, and a golden file under `tests/golden`; files of versions
//! that were ever written are never changed or removed.

use serde::de::DeserializeOwned;

use super::event::LedgerEvent;

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
    #[error("event type `{event_type}` version {version} is unknown: it was written by a newer program")]
    Unknown { event_type: String, version: i16 },
    #[error("the data of a `{event_type}` version {version} is not what that version holds")]
    Data {
        event_type: String,
        version: i16,
        #[source]
        source: serde_json::Error,
    },
}

/// The event as it is stored today.
pub fn encode(event: &LedgerEvent) -> Encoded {
    let (event_type, version, data) = match event {
        LedgerEvent::LedgerCreated(event) => ("ledger-created", 1, serde_json::to_string(event)),
        LedgerEvent::AssetRegistered(event) => ("asset-registered", 1, serde_json::to_string(event)),
        LedgerEvent::AccountOpened(event) => ("account-opened", 1, serde_json::to_string(event)),
        LedgerEvent::AccountFrozen(event) => ("account-frozen", 1, serde_json::to_string(event)),
        LedgerEvent::AccountUnfrozen(event) => ("account-unfrozen", 1, serde_json::to_string(event)),
        LedgerEvent::AccountClosed(event) => ("account-closed", 1, serde_json::to_string(event)),
        LedgerEvent::OverdraftPolicySet(event) => ("overdraft-policy-set", 1, serde_json::to_string(event)),
        LedgerEvent::TransactionPosted(event) => ("transaction-posted", 1, serde_json::to_string(event)),
    };
    Encoded {
        event_type,
        version,
        data: data.expect("events hold only strings, numbers and string-keyed maps"),
    }
}

/// The event that was stored, in its current shape whatever its version.
pub fn decode(event_type: &str, version: i16, data: &str) -> Result<LedgerEvent, DecodeError> {
    let stored = Stored { event_type, version, data };
    match (event_type, version) {
        ("ledger-created", 1) => stored.read().map(LedgerEvent::LedgerCreated),
        ("asset-registered", 1) => stored.read().map(LedgerEvent::AssetRegistered),
        ("account-opened", 1) => stored.read().map(LedgerEvent::AccountOpened),
        ("account-frozen", 1) => stored.read().map(LedgerEvent::AccountFrozen),
        ("account-unfrozen", 1) => stored.read().map(LedgerEvent::AccountUnfrozen),
        ("account-closed", 1) => stored.read().map(LedgerEvent::AccountClosed),
        ("overdraft-policy-set", 1) => stored.read().map(LedgerEvent::OverdraftPolicySet),
        ("transaction-posted", 1) => stored.read().map(LedgerEvent::TransactionPosted),
        _ => Err(DecodeError::Unknown { event_type: event_type.to_owned(), version }),
    }
}

struct Stored<'a> {
    event_type: &'a str,
    version: i16,
    data: &'a str,
}

impl Stored<'_> {
    fn read<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        serde_json::from_str(self.data).map_err(|source| DecodeError::Data {
            event_type: self.event_type.to_owned(),
            version: self.version,
            source,
        })
    }
}
