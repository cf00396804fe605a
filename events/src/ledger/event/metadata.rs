//! Metadata events. Each change is an event, so the history of metadata is kept.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::data::EventData;
use super::tag;
use crate::ledger::names::{AccountName, TransactionId};
use crate::ledger::policy::Metadata;
use recount_core::Tag;

/// The account or transaction that the metadata belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum MetadataOwner {
    Account(AccountName),
    Transaction(TransactionId),
}

impl MetadataOwner {
    pub fn tag(&self) -> Tag {
        match self {
            MetadataOwner::Account(account) => tag::account(account),
            MetadataOwner::Transaction(transaction) => tag::transaction(transaction),
        }
    }
}

impl fmt::Display for MetadataOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tag().fmt(f)
    }
}

/// Metadata members were set. Other members are unchanged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MetadataSet {
    pub of: MetadataOwner,
    pub metadata: Metadata,
}

impl EventData for MetadataSet {
    fn tags(&self) -> Vec<Tag> {
        vec![self.of.tag()]
    }
}

/// Metadata members were removed. Other members are unchanged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MetadataRemoved {
    pub of: MetadataOwner,
    pub keys: Vec<String>,
}

impl EventData for MetadataRemoved {
    fn tags(&self) -> Vec<Tag> {
        vec![self.of.tag()]
    }
}
