//! Entities of any kind, and how a decision looks them up.

use recount_core::Tag;
use recount_events::ledger::{AccountName, Asset, CustomerId, HoldId, Reference, TransactionId, tag};
use serde::{Deserialize, Serialize};

use super::account::Account;
use super::customer::Customer;
use super::hold::Hold;
use super::ledger::Ledger;
use super::transaction::Transaction;

/// The state of an entity that a tag names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entity {
    Ledger(Box<Ledger>),
    /// A registered asset.
    Asset(Asset),
    Account(Account),
    Transaction(Box<Transaction>),
    /// The transaction that has the reference.
    Reference(TransactionId),
    Hold(Box<Hold>),
    Customer(Box<Customer>),
    /// Whether the account is linked to the customer.
    Link(bool),
}

/// Looks up the entities that a decision reads.
pub struct States<'a> {
    find: &'a dyn Fn(&Tag) -> Option<&'a Entity>,
}

impl std::fmt::Debug for States<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("States")
    }
}

impl<'a> States<'a> {
    /// States that `find` looks up. It returns `None` for an entity without events.
    pub fn new(find: &'a dyn Fn(&Tag) -> Option<&'a Entity>) -> States<'a> {
        States { find }
    }

    /// The ledger, if it has been created.
    pub fn ledger(&self) -> Option<&'a Ledger> {
        match (self.find)(&tag::ledger()) {
            Some(Entity::Ledger(ledger)) => Some(ledger),
            _ => None,
        }
    }

    /// The registered asset with the code of this one.
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
