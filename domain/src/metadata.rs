//! Changes to the metadata of accounts and transactions.

use recount_events::ledger::{LedgerEvent, Metadata, MetadataOwner, MetadataRemoved, MetadataSet};

use crate::accounts;
use crate::decision::Decision;
use crate::entity::States;
use crate::rejection::Rejection;

/// The maximum size of metadata, in bytes of JSON. Metadata is for notes, not for documents.
pub const METADATA_BYTES_MAX: usize = 8 * 1024;

pub(crate) fn set(of: &MetadataOwner, metadata: &Metadata, states: &States<'_>) -> Decision {
    let current = current(of, states)?;
    if metadata.iter().all(|(key, value)| current.get(key) == Some(value)) {
        return Ok(vec![]);
    }
    let mut merged = current.clone();
    merged.extend(metadata.clone());
    let bytes = serde_json::to_string(&merged).map_or(usize::MAX, |json| json.len());
    if bytes > METADATA_BYTES_MAX {
        return Err(Rejection::MetadataTooLarge { of: of.clone(), bytes, max: METADATA_BYTES_MAX });
    }
    Ok(vec![LedgerEvent::MetadataSet(MetadataSet { of: of.clone(), metadata: metadata.clone() })])
}

pub(crate) fn remove(of: &MetadataOwner, keys: &[String], states: &States<'_>) -> Decision {
    let current = current(of, states)?;
    let mut keys: Vec<String> = keys.iter().filter(|key| current.contains_key(*key)).cloned().collect();
    keys.sort_unstable();
    keys.dedup();
    let event = MetadataRemoved { of: of.clone(), keys };
    Ok(if event.keys.is_empty() { vec![] } else { vec![LedgerEvent::MetadataRemoved(event)] })
}

fn current<'a>(of: &MetadataOwner, states: &States<'a>) -> Result<&'a Metadata, Rejection> {
    match of {
        MetadataOwner::Account(account) => Ok(&accounts::existing_account(account, states)?.terms.metadata),
        MetadataOwner::Transaction(transaction) => match states.transaction(transaction) {
            Some(state) => Ok(state.metadata()),
            None => Err(Rejection::TransactionUnknown { transaction: transaction.clone() }),
        },
    }
}
