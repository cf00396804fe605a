//! Commands on customers.

use std::collections::BTreeMap;

use recount_domain::Command;
use recount_events::ledger::{Personal, Profile};
use serde::Deserialize;
use utoipa::ToSchema;

use super::expectations::ExpectationData;
use super::fields::{FormError, at_most, given_or_new, parsed};
use super::free_json::{Members, MetadataData, duplicate};

/// The longest text that a profile holds: room for an address, too short for a file.
const TEXT_BYTES_MAX: usize = 1_000;
const ATTRIBUTES_MAX: usize = 50;
const ATTRIBUTE_NAME_BYTES_MAX: usize = 64;

/// What is known about a customer as a person. All of it is personal data: it is gone from every read model once the
/// customer is forgotten.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(super) struct ProfileData {
    #[schema(value_type = Option<String>, example = "Alice Example")]
    name: Option<Personal<String>>,
    #[schema(value_type = Option<String>, example = "alice@example.org")]
    email: Option<Personal<String>>,
    #[schema(value_type = Option<String>, example = "+1 555 0100")]
    phone: Option<Personal<String>>,
    #[schema(value_type = Option<String>, example = "1 Main Street, Springfield")]
    address: Option<Personal<String>>,
    /// Whatever else is known of the person, as text by name. The names themselves are not personal.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, String>, example = json!({"passport": "X1234567"}))]
    attributes: Members<Personal<String>>,
}

/// Registers a customer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(in crate::ledger) struct RegisterCustomerData {
    /// Chosen by the client so that a repeat is recognised; made by the service if it is left out. It stays for ever, so
    /// it shall say nothing about the person.
    #[schema(example = "c-1001")]
    customer: Option<String>,
    #[serde(default)]
    profile: ProfileData,
    /// Free JSON about the customer that is not personal, 8 KiB at most.
    #[serde(default)]
    #[schema(value_type = Object)]
    metadata: MetadataData,
    /// What balances must be for the command to be taken.
    #[serde(default)]
    expect: Vec<ExpectationData>,
}

/// Replaces what is known about a customer, all of it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(in crate::ledger) struct UpdateCustomerData {
    #[schema(example = "c-1001")]
    customer: String,
    profile: ProfileData,
    /// Free JSON about the customer that is not personal, 8 KiB at most.
    #[schema(value_type = Object)]
    metadata: MetadataData,
    /// What balances must be for the command to be taken.
    #[serde(default)]
    expect: Vec<ExpectationData>,
}

/// Links an account to a customer, or takes the link away. An account may have several customers, and a customer several
/// accounts.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(in crate::ledger) struct LinkData {
    #[schema(example = "c-1001")]
    customer: String,
    #[schema(example = "users:alice:main")]
    account: String,
    /// What balances must be for the command to be taken.
    #[serde(default)]
    expect: Vec<ExpectationData>,
}

/// Forgets what is known about a customer as a person, for good. The links to accounts stay.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(in crate::ledger) struct ForgetCustomerData {
    #[schema(example = "c-1001")]
    customer: String,
    /// What balances must be for the command to be taken.
    #[serde(default)]
    expect: Vec<ExpectationData>,
}

impl RegisterCustomerData {
    pub(in crate::ledger) fn into_command(self) -> Result<Command, FormError> {
        Ok(Command::RegisterCustomer {
            customer: given_or_new("/customer", self.customer.as_deref())?,
            profile: self.profile.into_profile().map_err(|error| error.within("profile"))?,
            metadata: self.metadata.into_metadata()?,
        })
    }
}

impl UpdateCustomerData {
    pub(in crate::ledger) fn into_command(self) -> Result<Command, FormError> {
        Ok(Command::UpdateCustomer {
            customer: parsed("/customer", &self.customer)?,
            profile: self.profile.into_profile().map_err(|error| error.within("profile"))?,
            metadata: self.metadata.into_metadata()?,
        })
    }
}

impl LinkData {
    pub(in crate::ledger) fn link(self) -> Result<Command, FormError> {
        let (customer, account) = (parsed("/customer", &self.customer)?, parsed("/account", &self.account)?);
        Ok(Command::LinkAccount { customer, account })
    }

    pub(in crate::ledger) fn unlink(self) -> Result<Command, FormError> {
        let (customer, account) = (parsed("/customer", &self.customer)?, parsed("/account", &self.account)?);
        Ok(Command::UnlinkAccount { customer, account })
    }
}

impl ForgetCustomerData {
    pub(in crate::ledger) fn into_command(self) -> Result<Command, FormError> {
        Ok(Command::ForgetCustomer { customer: parsed("/customer", &self.customer)? })
    }
}

impl ProfileData {
    fn into_profile(self) -> Result<Profile, FormError> {
        let ProfileData { name, email, phone, address, attributes } = self;
        let named = [("name", &name), ("email", &email), ("phone", &phone), ("address", &address)];
        for (member, text) in named {
            text.iter().try_for_each(check_text).map_err(|error| error.within(member))?;
        }
        let attributes = read_attributes(attributes).map_err(|error| error.within("attributes"))?;
        Ok(Profile { name, email, phone, address, attributes })
    }
}

fn read_attributes(
    given: Members<Personal<String>>,
) -> Result<BTreeMap<String, Personal<String>>, FormError> {
    let given = given.into_vec();
    at_most("", &given, ATTRIBUTES_MAX, "attributes")?;
    let mut attributes = BTreeMap::new();
    for (name, text) in given {
        if !is_text(&name, ATTRIBUTE_NAME_BYTES_MAX) {
            let reason = format!(
                "the name of an attribute takes 1 to {ATTRIBUTE_NAME_BYTES_MAX} bytes, without control characters"
            );
            return Err(FormError::new("", reason));
        }
        check_text(&text).map_err(|error| error.within(&name))?;
        if attributes.contains_key(&name) {
            return Err(duplicate(&name));
        }
        attributes.insert(name, text);
    }
    Ok(attributes)
}

/// A text may have several lines. It is personal, so the error does not tell it back.
fn check_text(Personal(text): &Personal<String>) -> Result<(), FormError> {
    if is_text(&text.replace('\n', " "), TEXT_BYTES_MAX) {
        return Ok(());
    }
    Err(FormError::new("", format!("a text takes 1 to {TEXT_BYTES_MAX} bytes, without control characters")))
}

fn is_text(text: &str, bytes_max: usize) -> bool {
    (1..=bytes_max).contains(&text.len()) && !text.contains(char::is_control)
}

objects!(ForgetCustomerData, LinkData, ProfileData, RegisterCustomerData, UpdateCustomerData);
expects!(RegisterCustomerData, UpdateCustomerData, LinkData, ForgetCustomerData);
