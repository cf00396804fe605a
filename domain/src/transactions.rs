//! Transactions: the rules for everything that is posted, including reversals and captures.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use recount_core::Tag;
use recount_events::ledger::{
    Asset, Capture, Entry, HoldId, LedgerEvent, Metadata, Reference, TransactionId, TransactionPosted, tag,
};

use crate::assets;
use crate::balance::{Balance, Totals};
use crate::command::PostTransaction;
use crate::decision::Decision;
use crate::entity::{Ledger, States, Transaction};
use crate::funds::{self, Leg};
use crate::periods;
use crate::rejection::Rejection;
use crate::used_accounts::UsedAccounts;

/// The maximum number of entries of a transaction. It limits the work and memory of one command.
pub const ENTRIES_MAX: usize = 1_000;

/// The minimum number of entries of a transaction: one debit and one credit.
pub const ENTRIES_MIN: usize = 2;

pub(crate) fn post_needs(command: &PostTransaction, tags: &mut Vec<Tag>) {
    tags.push(tag::transaction(&command.transaction));
    tags.extend(command.reference.iter().map(tag::reference));
    entries_needs(&command.entries, tags);
}

/// The accounts and assets of the entries.
pub(crate) fn entries_needs(entries: &[Entry], tags: &mut Vec<Tag>) {
    if entries.len() > ENTRIES_MAX {
        // The transaction is rejected for the number of its entries: nothing needs to be loaded.
        return;
    }
    for (n, entry) in entries.iter().enumerate() {
        tags.push(tag::account(&entry.account));
        // Most transactions have a single asset: skip a repetition of the previous one.
        if n == 0 || entries[n - 1].asset != entry.asset {
            tags.push(tag::asset(&entry.asset));
        }
    }
}

pub(crate) fn post(
    command: &PostTransaction,
    ledger: &Ledger,
    states: &States<'_>,
    now: DateTime<Utc>,
) -> Decision {
    let proposed = ProposedTransaction {
        transaction: &command.transaction,
        entries: &command.entries,
        entries_field: "entries",
        effective_at: command.effective_at,
        reference: command.reference.as_ref(),
        metadata: &command.metadata,
        reverses: None,
        captures: None,
    };
    match states.transaction(&command.transaction) {
        Some(existing) => proposed.decide_repeat(existing),
        None => proposed.decide(ledger, states, now),
    }
}

/// A transaction that a command proposes to post.
pub(crate) struct ProposedTransaction<'c> {
    pub(crate) transaction: &'c TransactionId,
    pub(crate) entries: &'c [Entry],
    /// The member of the command that gives the entries.
    pub(crate) entries_field: &'static str,
    pub(crate) effective_at: Option<DateTime<Utc>>,
    pub(crate) reference: Option<&'c Reference>,
    pub(crate) metadata: &'c Metadata,
    pub(crate) reverses: Option<&'c TransactionId>,
    pub(crate) captures: Option<Capture>,
}

impl ProposedTransaction<'_> {
    /// Decides a command whose transaction id exists: it repeats that transaction, or conflicts with it.
    pub(crate) fn decide_repeat(&self, existing: &Transaction) -> Decision {
        match self.differing_field(&existing.posted) {
            None => Ok(vec![]),
            Some(field) => Err(conflict(self.transaction, field)),
        }
    }

    /// The first member of the command that differs from the posted transaction. If a different kind of command posted
    /// it, the member of the transaction that shows so. An omitted effective time does not differ: it defaults to the time
    /// of recording, which is another at each repetition.
    fn differing_field(&self, posted: &TransactionPosted) -> Option<&'static str> {
        if posted.reverses.as_ref() != self.reverses {
            Some(if self.reverses.is_some() { "transaction" } else { "reverses" })
        } else if captured_hold(&posted.captures) != captured_hold(&self.captures) {
            Some(if self.captures.is_some() { "hold" } else { "captures" })
        } else if posted.entries != self.entries {
            Some(self.entries_field)
        } else if self.effective_at.is_some_and(|at| at != posted.effective_at) {
            Some("effective_at")
        } else if posted.reference.as_ref() != self.reference {
            Some("reference")
        } else if posted.metadata != *self.metadata {
            Some("metadata")
        } else {
            None
        }
    }

    /// Decides a transaction with a new id.
    pub(crate) fn decide(&self, ledger: &Ledger, states: &States<'_>, now: DateTime<Utc>) -> Decision {
        self.check_reference(states)?;
        let overflow = check_balanced(self.entries)?;
        if let Some(effective_at) = self.effective_at {
            periods::check_effective(effective_at, ledger, now)?;
        }
        check_assets(self.entries, states)?;
        let accounts = UsedAccounts::new(self.entries.iter().map(|entry| &entry.account), ledger, states);
        let legs = self.entries.iter().map(Leg::from);
        let used = funds::check_accounts(legs.clone(), &accounts)?;
        if let Some(Entry { account, asset, .. }) = overflow {
            return Err(Rejection::BalanceOverflow { account: account.clone(), asset: asset.clone() });
        }
        // The limits were checked when the hold was placed. A capture changes neither the available balance nor the sum of
        // posted and incoming, and releasing the rest only relaxes them.
        if self.captures.is_none() {
            funds::check_limits(legs, &used, Balance::with_posted)?;
        }
        Ok(accounts.into_events(LedgerEvent::TransactionPosted(self.posted(now))))
    }

    fn check_reference(&self, states: &States<'_>) -> Result<(), Rejection> {
        let Some(reference) = self.reference else {
            return Ok(());
        };
        match states.reference(reference) {
            None => Ok(()),
            Some(transaction) => Err(Rejection::ReferenceTaken {
                reference: reference.clone(),
                transaction: transaction.clone(),
            }),
        }
    }

    fn posted(&self, now: DateTime<Utc>) -> TransactionPosted {
        TransactionPosted {
            transaction: self.transaction.clone(),
            entries: self.entries.to_vec(),
            effective_at: self.effective_at.unwrap_or(now),
            reference: self.reference.cloned(),
            metadata: self.metadata.clone(),
            reverses: self.reverses.cloned(),
            captures: self.captures.clone(),
        }
    }
}

fn captured_hold(capture: &Option<Capture>) -> Option<&HoldId> {
    capture.as_ref().map(|capture| &capture.hold)
}

/// The id belongs to a transaction with different content.
pub(crate) fn conflict(transaction: &TransactionId, field: &'static str) -> Rejection {
    Rejection::TransactionConflict { transaction: transaction.clone(), field }
}

/// Checks that debits equal credits in every asset. Returns the entry at which the sums overflow, if there is one: it is
/// rejected as well, but other rejections come before it in the precedence.
fn check_balanced(entries: &[Entry]) -> Result<Option<&Entry>, Rejection> {
    if !(ENTRIES_MIN..=ENTRIES_MAX).contains(&entries.len()) {
        let (count, min, max) = (entries.len(), ENTRIES_MIN, ENTRIES_MAX);
        return Err(Rejection::EntriesOutOfBounds { count, min, max });
    }
    let mut sums: BTreeMap<&Asset, Option<Totals>> = BTreeMap::new();
    let mut overflow = None;
    for entry in entries {
        let sum = sums.entry(&entry.asset).or_insert(Some(Totals::default()));
        *sum = sum.and_then(|sum| sum.with(entry.direction, entry.amount));
        if sum.is_none() {
            overflow = overflow.or(Some(entry));
        }
    }
    let mut counted = sums.into_iter().filter_map(|(asset, sum)| Some((asset, sum?)));
    match counted.find(|(_, sum)| sum.debits != sum.credits) {
        None => Ok(overflow),
        Some((asset, Totals { debits, credits })) => {
            Err(Rejection::Unbalanced { asset: asset.clone(), debits, credits })
        }
    }
}

/// Checks that the assets of the entries are registered. Consecutive entries in one asset need one lookup.
fn check_assets(entries: &[Entry], states: &States<'_>) -> Result<(), Rejection> {
    let mut previous: Option<&Asset> = None;
    Rejection::first_of(entries.iter().map(|entry| &entry.asset), |asset| {
        let checked = previous == Some(asset);
        previous = Some(asset);
        if checked { Ok(()) } else { assets::check(asset, states) }
    })
}
