//! Deciding on transactions: what every posting has to satisfy, whatever it is for.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use recount_events::ledger::{
    Asset, Capture, Entry, HoldId, LedgerEvent, Metadata, Reference, TransactionId, TransactionPosted,
};

use crate::Decision;
use crate::assets;
use crate::balance::{Balance, Sides};
use crate::chart::UsedAccounts;
use crate::command::PostTransaction;
use crate::entity::{Ledger, States, Transaction};
use crate::funds::{self, Leg};
use crate::periods;
use crate::rejection::Rejection;

/// The most entries that a transaction can have: a bound on the work and the memory that one command takes.
pub const ENTRIES_MAX: usize = 1_000;

/// The fewest entries that a transaction can have: value comes from somewhere.
pub const ENTRIES_MIN: usize = 2;

pub(crate) fn post(
    command: &PostTransaction,
    ledger: &Ledger,
    states: &States<'_>,
    now: DateTime<Utc>,
) -> Decision {
    let wanted = Wanted {
        transaction: &command.transaction,
        entries: &command.entries,
        amounts_in: "entries",
        effective_at: command.effective_at,
        reference: command.reference.as_ref(),
        metadata: &command.metadata,
        reverses: None,
        captures: None,
    };
    match states.transaction(&command.transaction) {
        Some(existing) => wanted.repeat(existing),
        None => wanted.decide(ledger, states, now),
    }
}

/// A transaction that somebody wants posted.
pub(crate) struct Wanted<'c> {
    pub(crate) transaction: &'c TransactionId,
    pub(crate) entries: &'c [Entry],
    /// The member of the command that says what the entries are.
    pub(crate) amounts_in: &'static str,
    pub(crate) effective_at: Option<DateTime<Utc>>,
    pub(crate) reference: Option<&'c Reference>,
    pub(crate) metadata: &'c Metadata,
    pub(crate) reverses: Option<&'c TransactionId>,
    pub(crate) captures: Option<Capture>,
}

impl Wanted<'_> {
    /// Decides on a transaction whose id is there already: it is the same, or the id is taken.
    pub(crate) fn repeat(&self, existing: &Transaction) -> Decision {
        match self.differing_field(&existing.posted) {
            None => Ok(vec![]),
            Some(field) => Err(conflict(self.transaction, field)),
        }
    }

    /// What tells this transaction from one that has its id: a member of its command, or if a command of another kind
    /// posted that one, the member of the transaction that says so. A time that was not given does not differ: it would
    /// be another one at each repetition.
    fn differing_field(&self, posted: &TransactionPosted) -> Option<&'static str> {
        if posted.reverses.as_ref() != self.reverses {
            Some(if self.reverses.is_some() { "transaction" } else { "reverses" })
        } else if held(&posted.captures) != held(&self.captures) {
            Some(if self.captures.is_some() { "hold" } else { "captures" })
        } else if posted.entries != self.entries {
            Some(self.amounts_in)
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

    /// Decides on a transaction that is not there.
    pub(crate) fn decide(&self, ledger: &Ledger, states: &States<'_>, now: DateTime<Utc>) -> Decision {
        self.check_reference(states)?;
        let beyond = check_balanced(self.entries)?;
        if let Some(effective_at) = self.effective_at {
            periods::check_effective(effective_at, ledger, now)?;
        }
        check_assets(self.entries, states)?;
        let accounts = UsedAccounts::new(self.entries.iter().map(|entry| &entry.account), ledger, states);
        let legs = self.entries.iter().map(Leg::from);
        let found = funds::check_accounts(legs.clone(), &accounts)?;
        if let Some(Entry { account, asset, .. }) = beyond {
            return Err(Rejection::BalanceOverflow { account: account.clone(), asset: asset.clone() });
        }
        // What a capture posts was set aside within the limits: posting it changes neither what is available nor what is
        // posted and incoming, and giving the rest back only eases them.
        if self.captures.is_none() {
            funds::check_limits(legs, &found, Balance::with_posted)?;
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

fn held(capture: &Option<Capture>) -> Option<&HoldId> {
    capture.as_ref().map(|capture| &capture.hold)
}

/// The id belongs to a transaction with other content.
pub(crate) fn conflict(transaction: &TransactionId, field: &'static str) -> Rejection {
    Rejection::TransactionConflict { transaction: transaction.clone(), field }
}

/// Makes sure that the debits equal the credits in every asset. Answers the entry with which the sums go beyond what can
/// be counted, if there is one: it is refused as well, but other faults come first.
fn check_balanced(entries: &[Entry]) -> Result<Option<&Entry>, Rejection> {
    if !(ENTRIES_MIN..=ENTRIES_MAX).contains(&entries.len()) {
        let (count, min, max) = (entries.len(), ENTRIES_MIN, ENTRIES_MAX);
        return Err(Rejection::EntriesOutOfBounds { count, min, max });
    }
    let mut sums: BTreeMap<&Asset, Option<Sides>> = BTreeMap::new();
    let mut beyond = None;
    for entry in entries {
        let sum = sums.entry(&entry.asset).or_insert(Some(Sides::default()));
        *sum = sum.and_then(|sum| sum.with(entry.direction, entry.amount));
        if sum.is_none() {
            beyond = beyond.or(Some(entry));
        }
    }
    let mut counted = sums.into_iter().filter_map(|(asset, sum)| Some((asset, sum?)));
    match counted.find(|(_, sum)| sum.debits != sum.credits) {
        None => Ok(beyond),
        Some((asset, Sides { debits, credits })) => {
            Err(Rejection::Unbalanced { asset: asset.clone(), debits, credits })
        }
    }
}

/// Makes sure that the ledger counts the assets of the entries, each looked up once where it stands in a row.
fn check_assets(entries: &[Entry], states: &States<'_>) -> Result<(), Rejection> {
    let mut before: Option<&Asset> = None;
    Rejection::first(entries.iter().map(|entry| &entry.asset), |asset| {
        let checked = before == Some(asset);
        before = Some(asset);
        if checked { Ok(()) } else { assets::check(asset, states) }
    })
}
