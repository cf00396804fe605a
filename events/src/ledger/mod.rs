//! What happens in a ledger.
//!
//! [`LedgerEvent`] is the current shape of every event; [`codec`] turns it into stored JSON and back, and brings what
//! [earlier] versions stored up to date. [`names`], [`amount`], [`policy`] and [`personal`] hold the words that the
//! events are made of.

pub mod amount;
pub mod codec;
mod earlier;
mod event;
pub mod names;
pub mod personal;
pub mod policy;

pub use amount::{Amount, AmountError, Bound};
pub use codec::{DecodeError, decode, encode};
pub use event::{
    AccountClosed, AccountFrozen, AccountLinked, AccountOpened, AccountUnfrozen, AccountUnlinked,
    AssetRegistered, BalanceLimitsSet, Capture, ChartRemoved, ChartSet, CustomerForgotten,
    CustomerRegistered, CustomerUpdated, EffectiveWindowSet, Entry, HoldExpired, HoldPlaced, HoldReleased,
    LedgerCreated, LedgerEvent, MetadataOwner, MetadataRemoved, MetadataSet, OverdraftPolicySet,
    PeriodClosed, PeriodReopened, TransactionPosted, tag,
};
pub use names::{AccountName, AccountPattern, Asset, CustomerId, HoldId, Reference, TransactionId};
pub use personal::{Personal, Profile};
pub use policy::{
    AccountKind, BalanceLimit, ChartRule, Direction, EffectiveWindow, FreezeScope, Metadata, Overdraft,
    OverdraftLimit,
};
