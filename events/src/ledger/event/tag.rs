//! The tags of the ledger's entities.

use crate::ledger::{AccountName, Asset, CustomerId, HoldId, Reference, TransactionId};
use recount_core::Tag;

pub const LEDGER: &str = "ledger";
pub const ASSET: &str = "asset";
pub const ACCOUNT: &str = "account";
pub const TRANSACTION: &str = "transaction";
pub const REFERENCE: &str = "reference";
pub const HOLD: &str = "hold";
pub const CUSTOMER: &str = "customer";
pub const LINK: &str = "link";

/// The ledger itself; there is one in each log, so it needs no name.
pub fn ledger() -> Tag {
    Tag::new(LEDGER, "")
}

/// An asset, by its code: a ledger counts a code in one scale only.
pub fn asset(asset: &Asset) -> Tag {
    Tag::new(ASSET, asset.code())
}

pub fn account(account: &AccountName) -> Tag {
    Tag::new(ACCOUNT, account.as_str())
}

pub fn transaction(transaction: &TransactionId) -> Tag {
    Tag::new(TRANSACTION, transaction.as_str())
}

pub fn reference(reference: &Reference) -> Tag {
    Tag::new(REFERENCE, reference.as_str())
}

pub fn hold(hold: &HoldId) -> Tag {
    Tag::new(HOLD, hold.as_str())
}

pub fn customer(customer: &CustomerId) -> Tag {
    Tag::new(CUSTOMER, customer.as_str())
}

/// The link of an account to a customer: an entity of its own, so that neither grows with the number of links.
pub fn link(customer: &CustomerId, account: &AccountName) -> Tag {
    // A customer's id has no space, so two links never have one tag.
    Tag::new(LINK, &format!("{customer} {account}"))
}
