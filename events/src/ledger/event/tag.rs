//! The tags of the ledger's entities.

use crate::ledger::names::{AccountName, Asset, CustomerId, HoldId, Reference, TransactionId};
use recount_core::Tag;

pub const LEDGER: &str = "ledger";
pub const ASSET: &str = "asset";
pub const ACCOUNT: &str = "account";
pub const TRANSACTION: &str = "transaction";
pub const REFERENCE: &str = "reference";
pub const HOLD: &str = "hold";
pub const CUSTOMER: &str = "customer";
pub const LINK: &str = "link";

/// The ledger itself. Each log has one, so the name is empty.
pub fn ledger() -> Tag {
    Tag::new(LEDGER, "")
}

/// An asset, named by its code: a ledger registers each code with one scale only.
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

/// The link between a customer and an account. A link is its own entity, so that neither customers nor accounts grow with
/// the number of links.
pub fn link(customer: &CustomerId, account: &AccountName) -> Tag {
    // A customer id contains no space, so tags of different links differ.
    Tag::new(LINK, &format!("{customer} {account}"))
}
