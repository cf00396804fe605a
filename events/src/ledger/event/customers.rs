//! Customers: the people whose accounts they are.

use serde::{Deserialize, Serialize};

use super::tag;
use crate::ledger::{AccountName, CustomerId, Metadata, Profile};
use recount_core::Tag;

/// A customer is known from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CustomerRegistered {
    pub customer: CustomerId,
    pub profile: Profile,
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
}

/// The customer's profile and metadata are these from now on, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CustomerUpdated {
    pub customer: CustomerId,
    pub profile: Profile,
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
}

/// The account is one of the customer's from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AccountLinked {
    pub customer: CustomerId,
    pub account: AccountName,
}

/// The account is no longer one of the customer's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AccountUnlinked {
    pub customer: CustomerId,
    pub account: AccountName,
}

/// Nothing personal is known about the customer any more. The links to accounts stay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CustomerForgotten {
    pub customer: CustomerId,
}

pub(super) fn tags_of_link(customer: &CustomerId, account: &AccountName) -> Vec<Tag> {
    vec![tag::customer(customer), tag::account(account), tag::link(customer, account)]
}
