//! Accounts: opened, frozen, limited, closed.

use serde::{Deserialize, Serialize};

use crate::ledger::{AccountKind, AccountName, Asset, BalanceLimit, FreezeScope, Metadata, Overdraft};

/// An account can be posted to from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AccountOpened {
    pub account: AccountName,
    pub kind: AccountKind,
    pub overdraft: Overdraft,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<BalanceLimit>,
    /// The assets that it may hold; any, if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assets: Vec<Asset>,
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
    /// Whether nobody asked for it by name: the first transaction or hold that named it opened it, as the chart says.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub on_first_use: bool,
}

/// Entries on these sides are refused from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AccountFrozen {
    pub account: AccountName,
    pub scope: FreezeScope,
}

/// Entries on these sides are taken again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AccountUnfrozen {
    pub account: AccountName,
    pub scope: FreezeScope,
}

/// The account takes no entries any more, for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AccountClosed {
    pub account: AccountName,
}

/// The account may go this far below zero from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OverdraftPolicySet {
    pub account: AccountName,
    pub overdraft: Overdraft,
}

/// The account's balances have these bounds from now on, and no others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BalanceLimitsSet {
    pub account: AccountName,
    pub limits: Vec<BalanceLimit>,
}
