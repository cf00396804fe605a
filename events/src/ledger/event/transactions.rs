//! Transactions: the only events that move value.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::tag;
use crate::ledger::{AccountName, Amount, Asset, Direction, HoldId, Metadata, Reference, TransactionId};
use recount_core::Tag;

/// Value moved: entries whose debits equal their credits in every asset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TransactionPosted {
    pub transaction: TransactionId,
    pub entries: Vec<Entry>,
    /// When it counts in business terms; the envelope says when it was recorded.
    pub effective_at: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
    /// The transaction that this one takes back, wholly or in part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverses: Option<TransactionId>,
    /// The hold that this one makes good, wholly or in part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub captures: Option<Capture>,
}

/// One side of a movement of value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Entry {
    pub account: AccountName,
    pub direction: Direction,
    pub asset: Asset,
    pub amount: Amount,
}

/// What a transaction that captures a hold leaves of it. What it captures stands in its entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Capture {
    pub hold: HoldId,
    /// What is still held. Nothing: the hold is used up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining: Option<Amount>,
    /// What the capture gave back, because it was the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<Amount>,
}

impl TransactionPosted {
    pub(super) fn tags(&self) -> Vec<Tag> {
        let mut tags = vec![tag::transaction(&self.transaction)];
        tags.extend(self.reverses.iter().map(tag::transaction));
        tags.extend(self.reference.iter().map(tag::reference));
        tags.extend(self.captures.iter().map(|capture| tag::hold(&capture.hold)));
        let mut accounts: Vec<&AccountName> = self.entries.iter().map(|entry| &entry.account).collect();
        accounts.sort_unstable();
        accounts.dedup();
        tags.extend(accounts.into_iter().map(tag::account));
        tags
    }
}
