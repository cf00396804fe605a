//! The shapes of earlier event versions, and their conversions to the current shapes.
//!
//! Logs keep these shapes, so they are read, but they are never written again.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::event::{AccountOpened, Entry, TransactionPosted};
use super::names::{AccountName, Reference, TransactionId};
use super::policy::{AccountKind, Metadata, Overdraft};

/// Version 1 had no limits, no allowed assets and no opening on first use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct AccountOpenedV1 {
    account: AccountName,
    kind: AccountKind,
    overdraft: Overdraft,
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    metadata: Metadata,
}

/// Version 1 had no captures, and reversed a transaction in full only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct TransactionPostedV1 {
    transaction: TransactionId,
    entries: Vec<Entry>,
    effective_at: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reference: Option<Reference>,
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    metadata: Metadata,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reverses: Option<TransactionId>,
}

impl From<AccountOpenedV1> for AccountOpened {
    fn from(event: AccountOpenedV1) -> AccountOpened {
        let AccountOpenedV1 { account, kind, overdraft, metadata } = event;
        AccountOpened {
            account,
            kind,
            overdraft,
            limits: Vec::new(),
            assets: Vec::new(),
            metadata,
            on_first_use: false,
        }
    }
}

impl From<TransactionPostedV1> for TransactionPosted {
    fn from(event: TransactionPostedV1) -> TransactionPosted {
        let TransactionPostedV1 { transaction, entries, effective_at, reference, metadata, reverses } = event;
        TransactionPosted {
            transaction,
            entries,
            effective_at,
            reference,
            metadata,
            reverses,
            captures: None,
        }
    }
}
