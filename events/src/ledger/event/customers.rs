//! Customer events: the customers themselves, and their links to accounts.

use serde::{Deserialize, Serialize};

use super::data::EventData;
use super::tag;
use crate::ledger::names::{AccountName, CustomerId};
use crate::ledger::personal::Profile;
use crate::ledger::policy::Metadata;
use recount_core::Tag;

/// A customer was registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CustomerRegistered {
    pub customer: CustomerId,
    pub profile: Profile,
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
}

impl EventData for CustomerRegistered {
    fn tags(&self) -> Vec<Tag> {
        vec![tag::customer(&self.customer)]
    }

    fn data_subject(&self) -> Option<&CustomerId> {
        Some(&self.customer)
    }
}

/// A customer's whole profile and metadata were replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CustomerUpdated {
    pub customer: CustomerId,
    pub profile: Profile,
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
}

impl EventData for CustomerUpdated {
    fn tags(&self) -> Vec<Tag> {
        vec![tag::customer(&self.customer)]
    }

    fn data_subject(&self) -> Option<&CustomerId> {
        Some(&self.customer)
    }
}

/// An account was linked to a customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AccountLinked {
    pub customer: CustomerId,
    pub account: AccountName,
}

impl EventData for AccountLinked {
    fn tags(&self) -> Vec<Tag> {
        tags_of_link(&self.customer, &self.account)
    }
}

/// The link between an account and a customer was removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AccountUnlinked {
    pub customer: CustomerId,
    pub account: AccountName,
}

impl EventData for AccountUnlinked {
    fn tags(&self) -> Vec<Tag> {
        tags_of_link(&self.customer, &self.account)
    }
}

fn tags_of_link(customer: &CustomerId, account: &AccountName) -> Vec<Tag> {
    vec![tag::customer(customer), tag::account(account), tag::link(customer, account)]
}

/// A customer's profile and metadata were forgotten. Links to accounts remain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CustomerForgotten {
    pub customer: CustomerId,
}

impl EventData for CustomerForgotten {
    fn tags(&self) -> Vec<Tag> {
        vec![tag::customer(&self.customer)]
    }
}
