//! What happens in a ledger.
//!
//! [`LedgerEvent`] is the current shape of every event; [`codec`] turns it into stored JSON and back, and is the
//! one place where older stored shapes are brought up to date. [`vocabulary`] holds the words that the events are
//! made of.

pub mod codec;
mod event;
pub mod vocabulary;

pub use codec::{DecodeError, decode, encode};
pub use event::{
    AccountClosed, AccountFrozen, AccountOpened, AccountUnfrozen, AssetRegistered, Entry, LedgerCreated,
    LedgerEvent, OverdraftPolicySet, TransactionPosted, tag,
};
pub use vocabulary::{
    AccountKind, AccountName, Amount, AmountError, Asset, Direction, FreezeScope, Metadata, Overdraft,
    OverdraftLimit, Reference, TransactionId,
};
