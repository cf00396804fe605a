//! What happens in a ledger.
//!
//! [`LedgerEvent`] is the current shape of every event; the [registry] lists them. The [`codec`] turns an event into stored
//! JSON and back, and converts the shapes of [earlier] versions. [`names`], [`pattern`], [`amount`], [`policy`] and
//! [`personal`] hold the values that events are made of.

pub mod amount;
pub mod codec;
mod earlier;
mod event;
pub mod names;
pub mod pattern;
pub mod personal;
pub mod policy;
mod registry;

pub use amount::{Amount, AmountError, LimitAmount};
pub use codec::{DecodeError, decode, encode};
pub use event::*;
pub use names::{AccountName, Asset, CustomerId, HoldId, Reference, TransactionId};
pub use pattern::AccountPattern;
pub use personal::{Personal, Profile};
pub use policy::{
    AccountKind, BalanceLimit, ChartRule, Direction, EffectiveWindow, FreezeScope, Metadata, Overdraft,
    OverdraftLimit,
};
pub use registry::LedgerEvent;
