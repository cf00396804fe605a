//! Hold events. A hold reserves value for a later transaction.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::data::EventData;
use super::tag;
use crate::ledger::amount::Amount;
use crate::ledger::names::{AccountName, Asset, HoldId};
use crate::ledger::policy::Metadata;
use recount_core::Tag;

/// A hold reserved an amount to debit from one account and credit to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HoldPlaced {
    pub hold: HoldId,
    pub debit: AccountName,
    pub credit: AccountName,
    pub asset: Asset,
    pub amount: Amount,
    /// The deadline: the hold cannot be captured at or after this time. If absent, the hold does not expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
}

impl EventData for HoldPlaced {
    fn tags(&self) -> Vec<Tag> {
        tags_of_hold(&self.hold, &self.debit, &self.credit)
    }
}

/// The remaining amount of a hold was released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HoldReleased {
    pub hold: HoldId,
    pub debit: AccountName,
    pub credit: AccountName,
    pub asset: Asset,
    /// The amount that remained on the hold.
    pub amount: Amount,
}

impl EventData for HoldReleased {
    fn tags(&self) -> Vec<Tag> {
        tags_of_hold(&self.hold, &self.debit, &self.credit)
    }
}

/// A hold passed its deadline, and its remaining amount was released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HoldExpired {
    pub hold: HoldId,
    pub debit: AccountName,
    pub credit: AccountName,
    pub asset: Asset,
    /// The amount that remained on the hold.
    pub amount: Amount,
}

impl EventData for HoldExpired {
    fn tags(&self) -> Vec<Tag> {
        tags_of_hold(&self.hold, &self.debit, &self.credit)
    }
}

fn tags_of_hold(hold: &HoldId, debit: &AccountName, credit: &AccountName) -> Vec<Tag> {
    let mut tags = vec![tag::hold(hold), tag::account(debit)];
    if credit != debit {
        tags.push(tag::account(credit));
    }
    tags
}
