//! Reversals: a transaction is reversed by posting its opposite, in full or in part, and no part of it twice.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use recount_core::Tag;
use recount_events::ledger::{AccountName, Amount, Asset, Direction, Entry, tag};

use crate::command::{ReversalTime, ReverseTransaction, ReversedPart};
use crate::decision::Decision;
use crate::entity::{Ledger, States, Transaction};
use crate::rejection::Rejection;
use crate::transactions::{self, ProposedTransaction};

pub(crate) fn reverse_needs(command: &ReverseTransaction, states: &States<'_>, tags: &mut Vec<Tag>) {
    tags.push(tag::transaction(&command.transaction));
    tags.push(tag::transaction(&command.reversal));
    tags.extend(command.reference.iter().map(tag::reference));
    if let ReversedPart::Entries(entries) = &command.part {
        transactions::entries_needs(entries, tags);
    } else if let Some(original) = states.transaction(&command.transaction) {
        transactions::entries_needs(&original.posted.entries, tags);
    }
}

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
            Ok(entries) => proposed(command, &entries, original).decide_repeat(existing),
            Err(_) => Err(transactions::conflict(reversal, part_field(command, original))),
        };
    }
    check_reversible(command, original)?;
    let entries = entries_of(command, original)?;
    check_part(command, &entries, original)?;
    proposed(command, &entries, original).decide(ledger, states, now)
}

fn proposed<'c>(
    command: &'c ReverseTransaction,
    entries: &'c [Entry],
    original: &Transaction,
) -> ProposedTransaction<'c> {
    ProposedTransaction {
        transaction: &command.reversal,
        entries,
        entries_field: part_field(command, original),
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

/// The member of the command that gives the part to reverse. For a whole reversal, the member that would give it.
fn part_field(command: &ReverseTransaction, original: &Transaction) -> &'static str {
    match &command.part {
        ReversedPart::Entries(_) => "entries",
        ReversedPart::Whole if original.posted.entries.len() != 2 => "entries",
        ReversedPart::Whole | ReversedPart::Amount(_) => "amount",
    }
}

/// The entries of the reversal.
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

/// Checks that something is still reversible: all of it, if the command reverses the whole transaction.
fn check_reversible(command: &ReverseTransaction, original: &Transaction) -> Result<(), Rejection> {
    let Some(by) = &original.reversed_by else { return Ok(()) };
    let is_exhausted = reversible(original).values().all(|amount| *amount == 0);
    if command.part == ReversedPart::Whole || is_exhausted {
        let (transaction, reversed_by) = (command.transaction.clone(), by.clone());
        return Err(Rejection::TransactionAlreadyReversed { transaction, reversed_by });
    }
    Ok(())
}

/// A direction of entries on an account, in an asset.
type Leg<'a> = (&'a AccountName, Direction, &'a Asset);

/// The amounts that are still reversible, by the legs of the reversal.
fn reversible(original: &Transaction) -> BTreeMap<Leg<'_>, i128> {
    let mut reversible: BTreeMap<Leg<'_>, i128> = BTreeMap::new();
    for Entry { account, direction, asset, amount } in &original.posted.entries {
        *reversible.entry((account, direction.opposite(), asset)).or_default() += amount.minor_units();
    }
    for Entry { account, direction, asset, amount } in &original.taken_back {
        *reversible.entry((account, *direction, asset)).or_default() -= amount.minor_units();
    }
    reversible
}

/// Checks that the entries do not exceed the amounts that are still reversible.
fn check_part(
    command: &ReverseTransaction,
    entries: &[Entry],
    original: &Transaction,
) -> Result<(), Rejection> {
    if command.part == ReversedPart::Whole {
        return Ok(());
    }
    let reversible = reversible(original);
    let mut after = reversible.clone();
    let mut requested: BTreeMap<Leg<'_>, Amount> = BTreeMap::new();
    for Entry { account, direction, asset, amount } in entries {
        let leg = (account, *direction, asset);
        // A sum that saturates exceeds the reversible amount in any case.
        let after = after.entry(leg).or_default();
        *after = after.saturating_sub(amount.minor_units());
        requested.entry(leg).and_modify(|sum| *sum = sum.saturating_add(*amount)).or_insert(*amount);
    }
    Rejection::first_of(requested, |(leg, amount)| {
        if after[&leg] >= 0 {
            return Ok(());
        }
        let remaining = reversible.get(&leg).copied().unwrap_or(0);
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
