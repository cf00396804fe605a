//! The registry of events: one row per event type, from which the enum and the codec are made.
//!
//! Each event type has a name and a schema version. A change of shape gets a new version here, the old shape among the
//! [earlier](super::earlier) ones with a conversion to the current one, and a golden file under `tests/golden`. The golden
//! file of a version that was ever written is never changed or removed.

use super::codec::{DecodeError, Encoded, StoredEvent};
use super::earlier::{AccountOpenedV1, TransactionPostedV1};
use super::event::*;
use super::names::CustomerId;
use recount_core::Tag;

/// `Event = "its stored name", its current version`, then `earlier version => shape` for each version before it.
macro_rules! events {
    ($($event:ident = $name:literal, $version:literal $(, earlier $earlier:literal => $shape:ident)*;)*) => {
        /// Everything that can have happened in a ledger.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum LedgerEvent {
            $($event($event),)*
        }

        impl LedgerEvent {
            fn data(&self) -> &dyn EventData {
                match self {
                    $(LedgerEvent::$event(event) => event,)*
                }
            }
        }

        /// The stored name and the current version of every event type.
        pub const EVENT_TYPES: &[(&str, i16)] = &[$(($name, $version)),*];

        /// Encodes an event as its current version is stored.
        pub fn encode(event: &LedgerEvent) -> Encoded {
            match event {
                $(LedgerEvent::$event(event) => Encoded::new($name, $version, event),)*
            }
        }

        /// Decodes a stored event of any version into its current shape.
        pub fn decode(event_type: &str, version: i16, data: &str) -> Result<LedgerEvent, DecodeError> {
            let stored = StoredEvent { event_type, version, data };
            match (event_type, version) {
                $(
                    ($name, $version) => stored.read().map(LedgerEvent::$event),
                    $(($name, $earlier) => stored.read::<$shape>().map(|shape| LedgerEvent::$event(shape.into())),)*
                )*
                _ => Err(DecodeError::Unknown { event_type: event_type.to_owned(), version }),
            }
        }

        /// The JSON Schema of the data of every event in every version, as `(type, version, schema)`.
        #[cfg(feature = "schema")]
        pub fn schemas() -> Vec<(&'static str, i16, schemars::Schema)> {
            vec![$(
                ($name, $version, schemars::schema_for!($event)),
                $(($name, $earlier, schemars::schema_for!($shape)),)*
            )*]
        }
    };
}

events! {
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
    TimeCorrected = "time-corrected", 1;
}

impl LedgerEvent {
    /// The entities that the event concerns, each once.
    pub fn tags(&self) -> Vec<Tag> {
        self.data().tags()
    }

    /// The person whom the event's [personal](super::Personal) fields are about. `None` if it has no such fields.
    pub fn data_subject(&self) -> Option<&CustomerId> {
        self.data().data_subject()
    }
}
