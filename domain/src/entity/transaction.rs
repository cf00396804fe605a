//! A transaction as the decider sees it.

use recount_events::ledger::{Entry, Metadata, TransactionId, TransactionPosted};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// As it was posted: a repeated posting is compared with it.
    pub posted: TransactionPosted,
    /// Its metadata, if it was changed since.
    pub changed_metadata: Option<Metadata>,
    /// What its reversals have taken back, summed by account, direction and asset; the directions are the reversals'.
    pub taken_back: Vec<Entry>,
    /// The last of its reversals.
    pub reversed_by: Option<TransactionId>,
}

impl Transaction {
    pub(super) fn posted(event: &TransactionPosted) -> Transaction {
        Transaction {
            posted: event.clone(),
            changed_metadata: None,
            taken_back: Vec::new(),
            reversed_by: None,
        }
    }

    pub fn metadata(&self) -> &Metadata {
        self.changed_metadata.as_ref().unwrap_or(&self.posted.metadata)
    }

    pub(super) fn metadata_mut(&mut self) -> &mut Metadata {
        self.changed_metadata.get_or_insert_with(|| self.posted.metadata.clone())
    }

    pub(super) fn reverse(&mut self, reversal: &TransactionPosted) {
        for entry in &reversal.entries {
            let same_leg = |taken: &&mut Entry| {
                (&taken.account, taken.direction, &taken.asset)
                    == (&entry.account, entry.direction, &entry.asset)
            };
            match self.taken_back.iter_mut().find(same_leg) {
                Some(taken) => taken.amount = taken.amount.saturating_add(entry.amount),
                None => self.taken_back.push(entry.clone()),
            }
        }
        self.reversed_by = Some(reversal.transaction.clone());
    }
}
