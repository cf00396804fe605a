//! Account events.

use serde::{Deserialize, Serialize};

use super::data::EventData;
use super::tag;
use crate::ledger::names::{AccountName, Asset};
use crate::ledger::policy::{AccountKind, BalanceLimit, FreezeScope, Metadata, Overdraft};
use recount_core::Tag;

/// An account was opened and can be posted to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AccountOpened {
    pub account: AccountName,
    pub kind: AccountKind,
    pub overdraft: Overdraft,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<BalanceLimit>,
    /// The assets that the account may hold. If empty, it may hold any asset.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assets: Vec<Asset>,
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
    /// Whether a transaction or hold opened the account by using it first, as the chart of accounts allows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub on_first_use: bool,
}

impl EventData for AccountOpened {
    fn tags(&self) -> Vec<Tag> {
        vec![tag::account(&self.account)]
    }
}

/// An account was frozen: new entries on the frozen sides are rejected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AccountFrozen {
    pub account: AccountName,
    pub scope: FreezeScope,
}

impl EventData for AccountFrozen {
    fn tags(&self) -> Vec<Tag> {
        vec![tag::account(&self.account)]
    }
}

/// An account was unfrozen: new entries on these sides are accepted again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AccountUnfrozen {
    pub account: AccountName,
    pub scope: FreezeScope,
}

impl EventData for AccountUnfrozen {
    fn tags(&self) -> Vec<Tag> {
        vec![tag::account(&self.account)]
    }
}

/// An account was closed permanently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AccountClosed {
    pub account: AccountName,
}

impl EventData for AccountClosed {
    fn tags(&self) -> Vec<Tag> {
        vec![tag::account(&self.account)]
    }
}

/// An account's overdraft policy was replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OverdraftPolicySet {
    pub account: AccountName,
    pub overdraft: Overdraft,
}

impl EventData for OverdraftPolicySet {
    fn tags(&self) -> Vec<Tag> {
        vec![tag::account(&self.account)]
    }
}

/// All balance limits of an account were replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BalanceLimitsSet {
    pub account: AccountName,
    pub limits: Vec<BalanceLimit>,
}

impl EventData for BalanceLimitsSet {
    fn tags(&self) -> Vec<Tag> {
        vec![tag::account(&self.account)]
    }
}
