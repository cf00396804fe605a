//! Commands on the metadata of accounts and transactions.

use recount_domain::Command;
use recount_events::ledger::MetadataOwner;
use serde::Deserialize;
use utoipa::ToSchema;

use super::expectations::ExpectationData;
use super::fields::{FormError, at_most, parsed};
use super::free_json::MetadataData;

/// The most members that one command removes.
const KEYS_MAX: usize = 1_000;

/// Sets members of the metadata of an account or a transaction; its other members stay. What was before stays in the
/// history.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(in crate::ledger) struct SetMetadataData {
    /// Give this or `transaction`.
    #[schema(example = "users:alice:main")]
    account: Option<String>,
    /// Give this or `account`.
    transaction: Option<String>,
    /// Free JSON. With what is there already, 8 KiB at most.
    #[schema(value_type = Object, example = json!({"tier": "gold"}))]
    metadata: MetadataData,
    /// What balances must be for the command to be taken.
    #[serde(default)]
    expect: Vec<ExpectationData>,
}

/// Removes members of the metadata of an account or a transaction. What was before stays in the history.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(in crate::ledger) struct RemoveMetadataData {
    /// Give this or `transaction`.
    #[schema(example = "users:alice:main")]
    account: Option<String>,
    /// Give this or `account`.
    transaction: Option<String>,
    /// The names of the members. Those that are not there are passed over.
    #[schema(min_items = 1, max_items = 1_000, example = json!(["tier"]))]
    keys: Vec<String>,
    /// What balances must be for the command to be taken.
    #[serde(default)]
    expect: Vec<ExpectationData>,
}

impl SetMetadataData {
    pub(in crate::ledger) fn into_command(self) -> Result<Command, FormError> {
        let of = owner(self.account.as_deref(), self.transaction.as_deref())?;
        let metadata = self.metadata.into_metadata()?;
        if metadata.is_empty() {
            return Err(FormError::new("/metadata", "there is nothing to set"));
        }
        Ok(Command::SetMetadata { of, metadata })
    }
}

impl RemoveMetadataData {
    pub(in crate::ledger) fn into_command(self) -> Result<Command, FormError> {
        let of = owner(self.account.as_deref(), self.transaction.as_deref())?;
        if self.keys.is_empty() {
            return Err(FormError::new("/keys", "there is nothing to remove"));
        }
        at_most("/keys", &self.keys, KEYS_MAX, "names")?;
        Ok(Command::RemoveMetadata { of, keys: self.keys })
    }
}

fn owner(account: Option<&str>, transaction: Option<&str>) -> Result<MetadataOwner, FormError> {
    match (account, transaction) {
        (Some(account), None) => parsed("/account", account).map(MetadataOwner::Account),
        (None, Some(transaction)) => parsed("/transaction", transaction).map(MetadataOwner::Transaction),
        _ => Err(FormError::new("/account", "give either `account` or `transaction`, and not both")),
    }
}

objects!(RemoveMetadataData, SetMetadataData);
expects!(SetMetadataData, RemoveMetadataData);
