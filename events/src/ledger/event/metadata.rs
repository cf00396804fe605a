//! Metadata that is changed after the fact. Each change is an event, so its history is kept.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::tag;
use crate::ledger::{AccountName, Metadata, TransactionId};
use recount_core::Tag;

/// What metadata belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum MetadataOwner {
    Account(AccountName),
    Transaction(TransactionId),
}

/// These members of the metadata have these values from now on; the others stay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MetadataSet {
    pub of: MetadataOwner,
    pub metadata: Metadata,
}

/// These members of the metadata are gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MetadataRemoved {
    pub of: MetadataOwner,
    pub keys: Vec<String>,
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
