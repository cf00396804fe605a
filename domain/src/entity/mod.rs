//! The entities of a ledger as the decider sees them, and where it finds them.

mod account;
mod chart;
mod customer;
mod evolve;
mod hold;
mod ledger;
mod transaction;

pub use account::{Account, Terms};
pub use chart::Chart;
pub use customer::{Customer, Description};
pub use evolve::evolve;
pub use hold::{Hold, HoldStatus};
pub use ledger::Ledger;
pub use transaction::Transaction;

use recount_core::Tag;
use recount_events::ledger::{AccountName, Asset, CustomerId, HoldId, Reference, TransactionId, tag};
use serde::{Deserialize, Serialize};

/// The state of whatever a tag names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entity {
    Ledger(Box<Ledger>),
    /// The ledger counts the asset, like this.
    Asset(Asset),
    Account(Account),
    Transaction(Box<Transaction>),
    /// The transaction that has the reference.
    Reference(TransactionId),
    Hold(Box<Hold>),
    Customer(Box<Customer>),
    /// Whether the account is linked to the customer now.
    Link(bool),
}

/// Where a decision finds the entities that it needs.
pub struct States<'a> {
    find: &'a dyn Fn(&Tag) -> Option<&'a Entity>,
}

impl std::fmt::Debug for States<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("States")
    }
}

impl<'a> States<'a> {
    /// States that are found by this function; `None` is an entity that nothing has happened to.
    pub fn new(find: &'a dyn Fn(&Tag) -> Option<&'a Entity>) -> States<'a> {
        States { find }
    }

    /// The ledger itself, once it was created.
    pub fn ledger(&self) -> Option<&'a Ledger> {
        match (self.find)(&tag::ledger()) {
            Some(Entity::Ledger(ledger)) => Some(ledger),
            _ => None,
        }
    }

    /// What the ledger counts under the code of this asset.
    pub fn asset(&self, asset: &Asset) -> Option<&'a Asset> {
        match (self.find)(&tag::asset(asset)) {
            Some(Entity::Asset(registered)) => Some(registered),
            _ => None,
        }
    }

    pub fn account(&self, account: &AccountName) -> Option<&'a Account> {
        match (self.find)(&tag::account(account)) {
            Some(Entity::Account(account)) => Some(account),
            _ => None,
        }
    }

    pub fn transaction(&self, transaction: &TransactionId) -> Option<&'a Transaction> {
        match (self.find)(&tag::transaction(transaction)) {
            Some(Entity::Transaction(transaction)) => Some(transaction),
            _ => None,
        }
    }

    /// The transaction that has this reference.
    pub fn reference(&self, reference: &Reference) -> Option<&'a TransactionId> {
        match (self.find)(&tag::reference(reference)) {
            Some(Entity::Reference(transaction)) => Some(transaction),
            _ => None,
        }
    }

    pub fn hold(&self, hold: &HoldId) -> Option<&'a Hold> {
        match (self.find)(&tag::hold(hold)) {
            Some(Entity::Hold(hold)) => Some(hold),
            _ => None,
        }
    }

    pub fn customer(&self, customer: &CustomerId) -> Option<&'a Customer> {
        match (self.find)(&tag::customer(customer)) {
            Some(Entity::Customer(customer)) => Some(customer),
            _ => None,
        }
    }

    pub fn is_linked(&self, customer: &CustomerId, account: &AccountName) -> bool {
        matches!((self.find)(&tag::link(customer, account)), Some(Entity::Link(true)))
    }
}
