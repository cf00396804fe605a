//! Stored JSON and back.
//!
//! Each event type has a name and a schema version. A change of shape gets a new version here, the old shape among the
//! [earlier](super::earlier) ones with its way up to date, and a golden file under `tests/golden`; files of versions that
//! were ever written are never changed or removed.

use serde::de::DeserializeOwned;

use super::earlier::{AccountOpenedV1, TransactionPostedV1};
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

macro_rules! stored_events {
    ($($event:ident = $name:literal, $version:literal $(, earlier $was:literal => $shape:ident)*;)*) => {
        /// The type and the version of every event as it is stored today.
        pub const EVENT_TYPES: &[(&str, i16)] = &[$(($name, $version)),*];

        /// The event as it is stored today.
        pub fn encode(event: &LedgerEvent) -> Encoded {
            let (event_type, version, data) = match event {
                $(LedgerEvent::$event(event) => ($name, $version, serde_json::to_string(event)),)*
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
                $(
                    ($name, $version) => stored.read().map(LedgerEvent::$event),
                    $(($name, $was) => stored.read::<$shape>().map(|shape| LedgerEvent::$event(shape.into())),)*
                )*
                _ => Err(DecodeError::Unknown { event_type: event_type.to_owned(), version }),
            }
        }

        /// The JSON Schema of the data of every event in every version, as `(type, version, schema)`.
        #[cfg(feature = "schema")]
        pub fn schemas() -> Vec<(&'static str, i16, schemars::Schema)> {
            vec![$(
                ($name, $version, schemars::schema_for!(super::event::$event)),
                $(($name, $was, schemars::schema_for!($shape)),)*
            )*]
        }
    };
}

stored_events! {
    LedgerCreated = "ledger-created", 1;
    AssetRegistered = "asset-registered", 1;
    EffectiveWindowSet = "effective-window-set", 1;
    PeriodClosed = "period-closed", 1;
    PeriodReopened = "period-reopened", 1;
    ChartSet = "chart-set", 1;
    ChartRemoved = "chart-removed", 1;
    AccountOpened = "account-opened", 2, earlier 1 => AccountOpenedV1;
    AccountFrozen = "account-frozen", 1;
    AccountUnfrozen = "account-unfrozen", 1;
    AccountClosed = "account-closed", 1;
    OverdraftPolicySet = "overdraft-policy-set", 1;
    BalanceLimitsSet = "balance-limits-set", 1;
    TransactionPosted = "transaction-posted", 2, earlier 1 => TransactionPostedV1;
    HoldPlaced = "hold-placed", 1;
    HoldReleased = "hold-released", 1;
    HoldExpired = "hold-expired", 1;
    MetadataSet = "metadata-set", 1;
    MetadataRemoved = "metadata-removed", 1;
    CustomerRegistered = "customer-registered", 1;
    CustomerUpdated = "customer-updated", 1;
    AccountLinked = "account-linked", 1;
    AccountUnlinked = "account-unlinked", 1;
    CustomerForgotten = "customer-forgotten", 1;
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
