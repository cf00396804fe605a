//! The events of a ledger in their current shape.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::vocabulary::{
    AccountKind, AccountName, Amount, Asset, Direction, FreezeScope, Metadata, Overdraft, Reference,
    TransactionId,
};
use crate::envelope::Tag;

/// Everything that can have happened in a ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LedgerEvent {
    LedgerCreated(LedgerCreated),
    AssetRegistered(AssetRegistered),
    AccountOpened(AccountOpened),
    AccountFrozen(AccountFrozen),
    AccountUnfrozen(AccountUnfrozen),
    AccountClosed(AccountClosed),
    OverdraftPolicySet(OverdraftPolicySet),
    TransactionPosted(TransactionPosted),
}

/// The book was opened. Always the first event of its log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerCreated {
    pub ledger: String,
}

/// The ledger counts this asset from now on, in this scale.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssetRegistered {
    pub asset: Asset,
}

/// An account can be posted to from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountOpened {
    pub account: AccountName,
    pub kind: AccountKind,
    pub overdraft: Overdraft,
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
}

/// Entries on these sides are refused from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountFrozen {
    pub account: AccountName,
    pub scope: FreezeScope,
}

/// Entries on these sides are taken again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountUnfrozen {
    pub account: AccountName,
    pub scope: FreezeScope,
}

/// The account takes no entries any more, for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountClosed {
    pub account: AccountName,
}

/// The account may go this far below zero from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverdraftPolicySet {
    pub account: AccountName,
    pub overdraft: Overdraft,
}

/// Value moved: entries whose debits equal their credits in every asset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransactionPosted {
    pub transaction: TransactionId,
    pub entries: Vec<Entry>,
    /// When it counts in business terms; the envelope says when it was recorded.
    pub effective_at: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
    /// The transaction that this one takes back, whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverses: Option<TransactionId>,
}

/// One side of a movement of value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub account: AccountName,
    pub direction: Direction,
    pub asset: Asset,
    pub amount: Amount,
}

/// The tags of the ledger's entities.
pub mod tag {
    use super::{AccountName, Asset, Reference, Tag, TransactionId};

    pub const LEDGER: &str = "ledger";
    pub const ASSET: &str = "asset";
    pub const ACCOUNT: &str = "account";
    pub const TRANSACTION: &str = "transaction";
    pub const REFERENCE: &str = "reference";

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
}

impl LedgerEvent {
    /// The entities that the event concerns, each once.
    pub fn tags(&self) -> Vec<Tag> {
        match self {
            LedgerEvent::LedgerCreated(_) => vec![tag::ledger()],
            LedgerEvent::AssetRegistered(event) => vec![tag::asset(&event.asset)],
            LedgerEvent::AccountOpened(event) => vec![tag::account(&event.account)],
            LedgerEvent::AccountFrozen(event) => vec![tag::account(&event.account)],
            LedgerEvent::AccountUnfrozen(event) => vec![tag::account(&event.account)],
            LedgerEvent::AccountClosed(event) => vec![tag::account(&event.account)],
            LedgerEvent::OverdraftPolicySet(event) => vec![tag::account(&event.account)],
            LedgerEvent::TransactionPosted(event) => event.tags(),
        }
    }
}

impl TransactionPosted {
    fn tags(&self) -> Vec<Tag> {
        let mut tags = vec![tag::transaction(&self.transaction)];
        tags.extend(self.reverses.iter().map(tag::transaction));
        tags.extend(self.reference.iter().map(tag::reference));
        let mut accounts: Vec<&AccountName> = self.entries.iter().map(|entry| &entry.account).collect();
        accounts.sort_unstable();
        accounts.dedup();
        tags.extend(accounts.into_iter().map(tag::account));
        tags
    }
}
