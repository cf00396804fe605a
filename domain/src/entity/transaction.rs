//! A transaction as decisions see it.

use std::collections::BTreeMap;

use recount_events::ledger::{Amount, Entry, Metadata, TransactionId, TransactionPosted};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// The original event, to compare a repeated command with.
    pub posted: TransactionPosted,
    /// The current metadata, if it has changed since.
    pub changed_metadata: Option<Metadata>,
    /// The entries of its reversals, summed by account, direction and asset.
    pub taken_back: Vec<Entry>,
    /// The most recent of its reversals.
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
        let mut sums: BTreeMap<_, Amount> = BTreeMap::new();
        for entry in self.taken_back.drain(..).chain(reversal.entries.iter().cloned()) {
            let Entry { account, direction, asset, amount } = entry;
            let sum = sums.entry((account, direction, asset));
            sum.and_modify(|sum| *sum = sum.saturating_add(amount)).or_insert(amount);
        }
        let entries = sums.into_iter();
        self.taken_back = entries
            .map(|((account, direction, asset), amount)| Entry { account, direction, asset, amount })
            .collect();
        self.reversed_by = Some(reversal.transaction.clone());
    }
}
