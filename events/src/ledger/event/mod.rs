//! The events of a ledger in their current shape.

mod accounts;
mod customers;
mod holds;
mod ledgers;
mod metadata;
pub mod tag;
mod transactions;

pub use accounts::{
    AccountClosed, AccountFrozen, AccountOpened, AccountUnfrozen, BalanceLimitsSet, OverdraftPolicySet,
};
pub use customers::{AccountLinked, AccountUnlinked, CustomerForgotten, CustomerRegistered, CustomerUpdated};
pub use holds::{HoldExpired, HoldPlaced, HoldReleased};
pub use ledgers::{
    AssetRegistered, ChartRemoved, ChartSet, EffectiveWindowSet, LedgerCreated, PeriodClosed, PeriodReopened,
};
pub use metadata::{MetadataOwner, MetadataRemoved, MetadataSet};
pub use transactions::{Capture, Entry, TransactionPosted};

use super::names::CustomerId;
use recount_core::Tag;

/// Everything that can have happened in a ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LedgerEvent {
    LedgerCreated(LedgerCreated),
    AssetRegistered(AssetRegistered),
    EffectiveWindowSet(EffectiveWindowSet),
    PeriodClosed(PeriodClosed),
    PeriodReopened(PeriodReopened),
    ChartSet(ChartSet),
    ChartRemoved(ChartRemoved),
    AccountOpened(AccountOpened),
    AccountFrozen(AccountFrozen),
    AccountUnfrozen(AccountUnfrozen),
    AccountClosed(AccountClosed),
    OverdraftPolicySet(OverdraftPolicySet),
    BalanceLimitsSet(BalanceLimitsSet),
    TransactionPosted(TransactionPosted),
    HoldPlaced(HoldPlaced),
    HoldReleased(HoldReleased),
    HoldExpired(HoldExpired),
    MetadataSet(MetadataSet),
    MetadataRemoved(MetadataRemoved),
    CustomerRegistered(CustomerRegistered),
    CustomerUpdated(CustomerUpdated),
    AccountLinked(AccountLinked),
    AccountUnlinked(AccountUnlinked),
    CustomerForgotten(CustomerForgotten),
}

impl LedgerEvent {
    /// The entities that the event concerns, each once.
    pub fn tags(&self) -> Vec<Tag> {
        match self {
            LedgerEvent::LedgerCreated(_)
            | LedgerEvent::EffectiveWindowSet(_)
            | LedgerEvent::PeriodClosed(_)
            | LedgerEvent::PeriodReopened(_)
            | LedgerEvent::ChartSet(_)
            | LedgerEvent::ChartRemoved(_) => vec![tag::ledger()],
            LedgerEvent::AssetRegistered(event) => vec![tag::asset(&event.asset)],
            LedgerEvent::AccountOpened(event) => vec![tag::account(&event.account)],
            LedgerEvent::AccountFrozen(event) => vec![tag::account(&event.account)],
            LedgerEvent::AccountUnfrozen(event) => vec![tag::account(&event.account)],
            LedgerEvent::AccountClosed(event) => vec![tag::account(&event.account)],
            LedgerEvent::OverdraftPolicySet(event) => vec![tag::account(&event.account)],
            LedgerEvent::BalanceLimitsSet(event) => vec![tag::account(&event.account)],
            LedgerEvent::TransactionPosted(event) => event.tags(),
            LedgerEvent::HoldPlaced(event) => holds::tags(&event.hold, &event.debit, &event.credit),
            LedgerEvent::HoldReleased(event) => holds::tags(&event.hold, &event.debit, &event.credit),
            LedgerEvent::HoldExpired(event) => holds::tags(&event.hold, &event.debit, &event.credit),
            LedgerEvent::MetadataSet(event) => vec![event.of.tag()],
            LedgerEvent::MetadataRemoved(event) => vec![event.of.tag()],
            LedgerEvent::CustomerRegistered(event) => vec![tag::customer(&event.customer)],
            LedgerEvent::CustomerUpdated(event) => vec![tag::customer(&event.customer)],
            LedgerEvent::AccountLinked(event) => customers::tags_of_link(&event.customer, &event.account),
            LedgerEvent::AccountUnlinked(event) => customers::tags_of_link(&event.customer, &event.account),
            LedgerEvent::CustomerForgotten(event) => vec![tag::customer(&event.customer)],
        }
    }

    /// The person whom the event's [personal](super::Personal) fields are about, if it has such fields.
    pub fn data_subject(&self) -> Option<&CustomerId> {
        match self {
            LedgerEvent::CustomerRegistered(event) => Some(&event.customer),
            LedgerEvent::CustomerUpdated(event) => Some(&event.customer),
            _ => None,
        }
    }
}
