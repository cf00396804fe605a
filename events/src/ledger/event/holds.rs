//! Holds: value that is set aside for a transaction to come.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::tag;
use crate::ledger::{AccountName, Amount, Asset, HoldId, Metadata};
use recount_core::Tag;

/// A debit of one account and a credit of another were set aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HoldPlaced {
    pub hold: HoldId,
    pub debit: AccountName,
    pub credit: AccountName,
    pub asset: Asset,
    pub amount: Amount,
    /// From this time on it cannot be captured any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
}

/// What was left of a hold was given back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HoldReleased {
    pub hold: HoldId,
    pub debit: AccountName,
    pub credit: AccountName,
    pub asset: Asset,
    /// What was left of it.
    pub amount: Amount,
}

/// A hold's deadline passed, and what was left of it was given back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HoldExpired {
    pub hold: HoldId,
    pub debit: AccountName,
    pub credit: AccountName,
    pub asset: Asset,
    /// What was left of it.
    pub amount: Amount,
}

pub(super) fn tags(hold: &HoldId, debit: &AccountName, credit: &AccountName) -> Vec<Tag> {
    let mut tags = vec![tag::hold(hold), tag::account(debit)];
    if credit != debit {
        tags.push(tag::account(credit));
    }
    tags
}
