//! Deciding on reversals: a transaction is taken back by posting its opposite, wholly or in part, and nothing of it
//! twice.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use recount_events::ledger::{AccountName, Amount, Asset, Direction, Entry};

use crate::Decision;
use crate::command::{ReversalTime, ReverseTransaction, ReversedPart};
use crate::entity::{Ledger, States, Transaction};
use crate::rejection::Rejection;
use crate::transactions::{self, Wanted};

pub(crate) fn reverse(
    command: &ReverseTransaction,
    ledger: &Ledger,
    states: &States<'_>,
    now: DateTime<Utc>,
) -> Decision {
    let ReverseTransaction { transaction, reversal, .. } = command;
    let existing = states.transaction(reversal);
    let Some(original) = states.transaction(transaction) else {
        return Err(match existing {
            Some(_) => transactions::conflict(reversal, "transaction"),
            None => Rejection::TransactionUnknown { transaction: transaction.clone() },
        });
    };
    if let Some(existing) = existing {
        return match entries_of(command, original) {
            Ok(entries) => wanted(command, &entries, original).repeat(existing),
            Err(_) => Err(transactions::conflict(reversal, amounts_in(command, original))),
        };
    }
    check_left(command, original)?;
    let entries = entries_of(command, original)?;
    check_part(command, &entries, original)?;
    wanted(command, &entries, original).decide(ledger, states, now)
}

fn wanted<'c>(command: &'c ReverseTransaction, entries: &'c [Entry], original: &Transaction) -> Wanted<'c> {
    Wanted {
        transaction: &command.reversal,
        entries,
        amounts_in: amounts_in(command, original),
        effective_at: match command.effective_at {
            ReversalTime::Now => None,
            ReversalTime::Original => Some(original.posted.effective_at),
            ReversalTime::At(moment) => Some(moment),
        },
        reference: command.reference.as_ref(),
        metadata: &command.metadata,
        reverses: Some(&command.transaction),
        captures: None,
    }
}

/// The member of the command that says what to take back, or that it should have had if it was a part.
fn amounts_in(command: &ReverseTransaction, original: &Transaction) -> &'static str {
    match &command.part {
        ReversedPart::Entries(_) => "entries",
        ReversedPart::Whole if original.posted.entries.len() != 2 => "entries",
        ReversedPart::Whole | ReversedPart::Amount(_) => "amount",
    }
}

/// The entries that take back what the command says.
fn entries_of(command: &ReverseTransaction, original: &Transaction) -> Result<Vec<Entry>, Rejection> {
    let opposites = original.posted.entries.iter().map(opposite);
    match &command.part {
        ReversedPart::Whole => Ok(opposites.collect()),
        ReversedPart::Entries(entries) => Ok(entries.clone()),
        ReversedPart::Amount(_) if original.posted.entries.len() != 2 => Err(Rejection::ReversalAmbiguous {
            transaction: command.transaction.clone(),
            entries: original.posted.entries.len(),
        }),
        ReversedPart::Amount(amount) => {
            Ok(opposites.map(|entry| Entry { amount: *amount, ..entry }).collect())
        }
    }
}

fn opposite(entry: &Entry) -> Entry {
    Entry { direction: entry.direction.opposite(), ..entry.clone() }
}

/// Makes sure that something is left to take back: all of it, if all is asked for.
fn check_left(command: &ReverseTransaction, original: &Transaction) -> Result<(), Rejection> {
    let Some(by) = &original.reversed_by else { return Ok(()) };
    let nothing_left = left(original).values().all(|amount| *amount == 0);
    if command.part == ReversedPart::Whole || nothing_left {
        let (transaction, reversed_by) = (command.transaction.clone(), by.clone());
        return Err(Rejection::TransactionAlreadyReversed { transaction, reversed_by });
    }
    Ok(())
}

/// An account's side in an asset.
type Leg<'a> = (&'a AccountName, Direction, &'a Asset);

/// What can still be taken back, by the sides of the reversal.
fn left(original: &Transaction) -> BTreeMap<Leg<'_>, i128> {
    let mut left: BTreeMap<Leg<'_>, i128> = BTreeMap::new();
    for Entry { account, direction, asset, amount } in &original.posted.entries {
        *left.entry((account, direction.opposite(), asset)).or_default() += amount.minor_units();
    }
    for Entry { account, direction, asset, amount } in &original.taken_back {
        *left.entry((account, *direction, asset)).or_default() -= amount.minor_units();
    }
    left
}

/// Makes sure that the entries take back no more than is left.
fn check_part(
    command: &ReverseTransaction,
    entries: &[Entry],
    original: &Transaction,
) -> Result<(), Rejection> {
    if command.part == ReversedPart::Whole {
        return Ok(());
    }
    let left = left(original);
    let mut after = left.clone();
    let mut wanted: BTreeMap<Leg<'_>, Amount> = BTreeMap::new();
    for Entry { account, direction, asset, amount } in entries {
        let leg = (account, *direction, asset);
        // A sum of amounts that goes beyond what can be counted is more than is left, too.
        let after = after.entry(leg).or_default();
        *after = after.saturating_sub(amount.minor_units());
        wanted.entry(leg).and_modify(|sum| *sum = sum.saturating_add(*amount)).or_insert(*amount);
    }
    Rejection::first(wanted, |(leg, amount)| {
        if after[&leg] >= 0 {
            return Ok(());
        }
        let remaining = left.get(&leg).copied().unwrap_or(0);
        let (account, direction, asset) = leg;
        Err(Rejection::ReversalExceeded {
            transaction: command.transaction.clone(),
            account: account.clone(),
            direction,
            asset: asset.clone(),
            amount,
            remaining,
        })
    })
}
