//! Deciding on transactions: posting them and taking them back.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use recount_events::ledger::{
    AccountName, Asset, Entry, LedgerEvent, Metadata, Reference, TransactionId, TransactionPosted,
};

use crate::accounts::{minimum_balance, open_account};
use crate::assets;
use crate::command::{PostTransaction, ReverseTransaction};
use crate::entity::{Account, Balance, States, Transaction};
use crate::rejection::Rejection;

/// The most entries that a transaction can have: a bound on the work and the memory that one command takes.
pub const ENTRIES_MAX: usize = 1_000;

type Decision = Result<Vec<LedgerEvent>, Rejection>;

pub(crate) fn post(command: &PostTransaction, states: &States<'_>, now: DateTime<Utc>) -> Decision {
    let wanted = Wanted {
        transaction: &command.transaction,
        entries: &command.entries,
        effective_at: command.effective_at,
        reference: command.reference.as_ref(),
        metadata: &command.metadata,
        reverses: None,
    };
    wanted.decide(states, now)
}

pub(crate) fn reverse(command: &ReverseTransaction, states: &States<'_>, now: DateTime<Utc>) -> Decision {
    let transaction = &command.transaction;
    let Some(original) = states.transaction(transaction) else {
        return Err(Rejection::TransactionUnknown { transaction: transaction.clone() });
    };
    let entries: Vec<Entry> = original.entries.iter().map(opposite).collect();
    let wanted = Wanted {
        transaction: &command.reversal,
        entries: &entries,
        effective_at: command.effective_at,
        reference: command.reference.as_ref(),
        metadata: &command.metadata,
        reverses: Some(transaction),
    };
    match &original.reversed_by {
        Some(by) if *by != command.reversal => {
            Err(Rejection::TransactionAlreadyReversed { transaction: transaction.clone(), by: by.clone() })
        }
        _ => wanted.decide(states, now),
    }
}

fn opposite(entry: &Entry) -> Entry {
    Entry { direction: entry.direction.opposite(), ..entry.clone() }
}

/// A transaction that somebody wants posted.
struct Wanted<'c> {
    transaction: &'c TransactionId,
    entries: &'c [Entry],
    effective_at: Option<DateTime<Utc>>,
    reference: Option<&'c Reference>,
    metadata: &'c Metadata,
    reverses: Option<&'c TransactionId>,
}

impl Wanted<'_> {
    fn decide(&self, states: &States<'_>, now: DateTime<Utc>) -> Decision {
        if let Some(existing) = states.transaction(self.transaction) {
            return match self.differing_field(existing) {
                None => Ok(vec![]),
                Some(field) => {
                    Err(Rejection::TransactionConflict { transaction: self.transaction.clone(), field })
                }
            };
        }
        self.check_reference(states)?;
        check_balanced(self.entries)?;
        check_assets(self.entries, states)?;
        let accounts = check_accounts(self.entries, states)?;
        check_funds(self.entries, &accounts)?;
        Ok(vec![LedgerEvent::TransactionPosted(self.posted(now))])
    }

    /// What tells this transaction from one that has its id. A time that was not given does not differ: it would be
    /// another one at each repetition.
    fn differing_field(&self, existing: &Transaction) -> Option<&'static str> {
        if existing.reverses.as_ref() != self.reverses {
            Some("reversed transaction")
        } else if existing.entries != self.entries {
            Some("list of entries")
        } else if self.effective_at.is_some_and(|at| at != existing.effective_at) {
            Some("effective_at")
        } else if existing.reference.as_ref() != self.reference {
            Some("reference")
        } else if existing.metadata != *self.metadata {
            Some("metadata")
        } else {
            None
        }
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
        }
    }
}

fn check_balanced(entries: &[Entry]) -> Result<(), Rejection> {
    if !(2..=ENTRIES_MAX).contains(&entries.len()) {
        return Err(Rejection::EntriesOutOfBounds { count: entries.len(), max: ENTRIES_MAX });
    }
    let mut sums: BTreeMap<&Asset, Balance> = BTreeMap::new();
    for entry in entries {
        let sum = sums.entry(&entry.asset).or_default();
        *sum = sum.with(entry).ok_or_else(|| Rejection::BalanceOverflow {
            account: entry.account.clone(),
            asset: entry.asset.clone(),
        })?;
    }
    match sums.into_iter().find(|(_, sum)| sum.debits != sum.credits) {
        None => Ok(()),
        Some((asset, Balance { debits, credits })) => {
            Err(Rejection::Unbalanced { asset: asset.clone(), debits, credits })
        }
    }
}

/// The accounts of the entries, in their order, if each takes its entry.
fn check_accounts<'a>(entries: &[Entry], states: &States<'a>) -> Result<Vec<&'a Account>, Rejection> {
    let account_of = |entry: &Entry| {
        let account = open_account(&entry.account, states)?;
        if account.frozen_for(entry.direction) {
            return Err(Rejection::AccountFrozen {
                account: entry.account.clone(),
                direction: entry.direction,
            });
        }
        Ok(account)
    };
    entries.iter().map(account_of).collect()
}

/// Makes sure that no account ends below its minimum. What counts is where the whole transaction leaves an account,
/// not what its entries do on the way.
fn check_funds(entries: &[Entry], accounts: &[&Account]) -> Result<(), Rejection> {
    let mut after: BTreeMap<(&AccountName, &Asset), Balance> = BTreeMap::new();
    for (entry, account) in entries.iter().zip(accounts) {
        let sums =
            after.entry((&entry.account, &entry.asset)).or_insert_with(|| account.balance(&entry.asset));
        *sums = sums.with(entry).ok_or_else(|| Rejection::BalanceOverflow {
            account: entry.account.clone(),
            asset: entry.asset.clone(),
        })?;
    }
    entries.iter().zip(accounts).try_for_each(|(entry, account)| {
        let balance = account.balance(&entry.asset).posted(account.kind);
        let balance_after = after[&(&entry.account, &entry.asset)].posted(account.kind);
        match minimum_balance(&account.overdraft, &entry.asset) {
            // A transaction that does not make it worse is taken: it may be the one that mends it.
            Some(minimum) if balance_after < minimum && balance_after < balance => {
                Err(Rejection::InsufficientFunds {
                    account: entry.account.clone(),
                    asset: entry.asset.clone(),
                    balance,
                    balance_after,
                    minimum,
                })
            }
            _ => Ok(()),
        }
    })
}

/// Makes sure that the ledger counts the assets of the entries, each looked up once where it stands in a row.
fn check_assets(entries: &[Entry], states: &States<'_>) -> Result<(), Rejection> {
    let mut before: Option<&Asset> = None;
    entries.iter().map(|entry| &entry.asset).try_for_each(|asset| {
        let checked = before == Some(asset);
        before = Some(asset);
        if checked { Ok(()) } else { assets::check(asset, states) }
    })
}
