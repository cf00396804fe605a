//! Commands on the metadata of accounts and transactions.

use recount_domain::Command;
use recount_events::ledger::MetadataOwner;
use serde::Deserialize;
use utoipa::ToSchema;

use super::expectations::ExpectationData;
use super::fields::{FormError, at_most, parsed};
use super::free_json::MetadataData;

/// Members that one command can remove.
const KEYS_MAX: usize = 1_000;

/// Sets members of the metadata of an account or a transaction; the other members do not change. Earlier values stay in
/// the log.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(in crate::ledger) struct SetMetadataData {
    /// Give either this or `transaction`.
    #[schema(example = "users:alice:main")]
    account: Option<String>,
    /// Give either this or `account`.
    transaction: Option<String>,
    /// Free-form JSON. Together with the existing members, at most 8 KiB.
    #[schema(value_type = Object, example = json!({"tier": "gold"}))]
    metadata: MetadataData,
    /// Conditions on balances. If one does not hold, the command is rejected.
    #[serde(default)]
    expect: Vec<ExpectationData>,
}

/// Removes members of the metadata of an account or a transaction. Earlier values stay in the log.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(in crate::ledger) struct RemoveMetadataData {
    /// Give either this or `transaction`.
    #[schema(example = "users:alice:main")]
    account: Option<String>,
    /// Give either this or `account`.
    transaction: Option<String>,
    /// The names of the members. Names that do not exist are ignored.
    #[schema(min_items = 1, max_items = 1_000, example = json!(["tier"]))]
    keys: Vec<String>,
    /// Conditions on balances. If one does not hold, the command is rejected.
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
        _ => Err(FormError::new("/account", "give either `account` or `transaction`, not both")),
    }
}

recount_service_kit::objects!(RemoveMetadataData, SetMetadataData);
command_data!(SetMetadataData, RemoveMetadataData);
