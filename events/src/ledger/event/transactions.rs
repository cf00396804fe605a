//! Transaction events: the only events that move value.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::data::EventData;
use super::tag;
use crate::ledger::amount::Amount;
use crate::ledger::names::{AccountName, Asset, HoldId, Reference, TransactionId};
use crate::ledger::policy::{Direction, Metadata};
use recount_core::Tag;

/// A transaction was posted. Its debits equal its credits in every asset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TransactionPosted {
    pub transaction: TransactionId,
    pub entries: Vec<Entry>,
    /// The business time of the transaction. The envelope has the time of recording.
    pub effective_at: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
    /// The transaction that this one reverses, in full or in part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverses: Option<TransactionId>,
    /// The hold that this transaction captures, in full or in part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub captures: Option<Capture>,
}

/// One debit or credit of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Entry {
    pub account: AccountName,
    pub direction: Direction,
    pub asset: Asset,
    pub amount: Amount,
}

/// The hold that a transaction captures, and its state afterwards. The captured amount is in the entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Capture {
    pub hold: HoldId,
    /// The amount still held. If absent, the hold is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining: Option<Amount>,
    /// The amount that a final capture released.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<Amount>,
}

impl EventData for TransactionPosted {
    fn tags(&self) -> Vec<Tag> {
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
