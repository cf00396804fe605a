//! Holds: placing, capturing, releasing and expiring them.

use chrono::{DateTime, Utc};
use recount_core::Tag;
use recount_events::ledger::{
    AccountName, Amount, Capture, Direction, Entry, HoldExpired, HoldId, HoldPlaced, HoldReleased,
    LedgerEvent, TransactionPosted, tag,
};

use crate::assets;
use crate::balance::Balance;
use crate::command::{CaptureHold, PlaceHold};
use crate::decision::Decision;
use crate::entity::{Hold, HoldStatus, Ledger, States, Transaction};
use crate::funds::{self, Leg};
use crate::rejection::{Rejection, Timestamp};
use crate::transactions::{self, ProposedTransaction};
use crate::used_accounts::UsedAccounts;

pub(crate) fn place_needs(command: &PlaceHold, tags: &mut Vec<Tag>) {
    tags.push(tag::hold(&command.hold));
    tags.push(tag::asset(&command.asset));
    tags.extend([tag::account(&command.debit), tag::account(&command.credit)]);
}

pub(crate) fn capture_needs(command: &CaptureHold, states: &States<'_>, tags: &mut Vec<Tag>) {
    tags.push(tag::hold(&command.hold));
    tags.push(tag::transaction(&command.transaction));
    tags.extend(command.reference.iter().map(tag::reference));
    if let Some(hold) = states.hold(&command.hold) {
        tags.push(tag::asset(&hold.placed.asset));
        tags.extend([tag::account(&hold.placed.debit), tag::account(&hold.placed.credit)]);
    }
}

pub(crate) fn place(
    command: &PlaceHold,
    ledger: &Ledger,
    states: &States<'_>,
    now: DateTime<Utc>,
) -> Decision {
    if let Some(existing) = states.hold(&command.hold) {
        return match differing_field(&existing.placed, command) {
            None => Ok(vec![]),
            Some(field) => Err(Rejection::HoldConflict { hold: command.hold.clone(), field }),
        };
    }
    if let Some(expires_at) = command.expires_at.filter(|expires_at| *expires_at <= now) {
        return Err(Rejection::DeadlinePassed {
            hold: command.hold.clone(),
            expires_at: Timestamp(expires_at),
            now: Timestamp(now),
        });
    }
    assets::check(&command.asset, states)?;
    let accounts = UsedAccounts::new([&command.debit, &command.credit].into_iter(), ledger, states);
    let legs = [(&command.debit, Direction::Debit), (&command.credit, Direction::Credit)];
    let legs = legs.into_iter().map(|(account, direction)| Leg {
        account,
        direction,
        asset: &command.asset,
        amount: command.amount,
    });
    let used = funds::check_accounts(legs.clone(), &accounts)?;
    funds::check_limits(legs, &used, Balance::with_held)?;
    Ok(accounts.into_events(LedgerEvent::HoldPlaced(HoldPlaced {
        hold: command.hold.clone(),
        debit: command.debit.clone(),
        credit: command.credit.clone(),
        asset: command.asset.clone(),
        amount: command.amount,
        expires_at: command.expires_at,
        metadata: command.metadata.clone(),
    })))
}

/// The first member of the command that differs from the placed hold.
fn differing_field(placed: &HoldPlaced, command: &PlaceHold) -> Option<&'static str> {
    if placed.debit != command.debit {
        Some("debit")
    } else if placed.credit != command.credit {
        Some("credit")
    } else if placed.asset != command.asset {
        Some("asset")
    } else if placed.amount != command.amount {
        Some("amount")
    } else if placed.expires_at != command.expires_at {
        Some("expires_at")
    } else if placed.metadata != command.metadata {
        Some("metadata")
    } else {
        None
    }
}

pub(crate) fn capture(
    command: &CaptureHold,
    ledger: &Ledger,
    states: &States<'_>,
    now: DateTime<Utc>,
) -> Decision {
    if let Some(existing) = states.transaction(&command.transaction) {
        return decide_repeat(command, existing);
    }
    let (hold, remaining) = open_hold(&command.hold, states, now)?;
    let amount = command.amount.unwrap_or(remaining);
    if amount > remaining {
        return Err(Rejection::HoldExceeded { hold: command.hold.clone(), amount, remaining });
    }
    let rest = remaining.checked_sub(amount);
    let captures = Capture {
        hold: command.hold.clone(),
        remaining: rest.filter(|_| !command.is_final),
        released: rest.filter(|_| command.is_final),
    };
    let entries = entries(&hold.placed, amount);
    proposed(command, &entries, captures).decide(ledger, states, now)
}

/// Decides a capture whose transaction id exists. An omitted amount does not differ if the first capture took the whole
/// remaining amount.
fn decide_repeat(command: &CaptureHold, existing: &Transaction) -> Decision {
    let conflict = |field| Err(transactions::conflict(&command.transaction, field));
    let TransactionPosted { entries, captures, .. } = &existing.posted;
    let Some(captures) = captures.as_ref().filter(|capture| capture.hold == command.hold) else {
        return conflict("hold");
    };
    // If the capture took everything, `final` made no difference.
    let was_final = captures.released.is_some();
    let was_partial = captures.remaining.is_some();
    if (command.is_final && was_partial) || (!command.is_final && was_final) {
        return conflict("final");
    }
    // A capture without an amount takes everything, so one that did not take everything had an amount.
    let differs = match command.amount {
        Some(amount) => entries.iter().any(|entry| entry.amount != amount),
        None => was_final || was_partial,
    };
    if differs {
        return conflict("amount");
    }
    proposed(command, entries, captures.clone()).decide_repeat(existing)
}

fn entries(hold: &HoldPlaced, amount: Amount) -> [Entry; 2] {
    let entry = |account: &AccountName, direction| Entry {
        account: account.clone(),
        direction,
        asset: hold.asset.clone(),
        amount,
    };
    [entry(&hold.debit, Direction::Debit), entry(&hold.credit, Direction::Credit)]
}

fn proposed<'c>(
    command: &'c CaptureHold,
    entries: &'c [Entry],
    captures: Capture,
) -> ProposedTransaction<'c> {
    ProposedTransaction {
        transaction: &command.transaction,
        entries,
        // `decide_repeat` compares the amount.
        entries_field: "amount",
        effective_at: command.effective_at,
        reference: command.reference.as_ref(),
        metadata: &command.metadata,
        reverses: None,
        captures: Some(captures),
    }
}

/// The hold and its remaining amount, if it is open. At its deadline a hold expires even if the event is not recorded yet.
fn open_hold<'a>(
    id: &HoldId,
    states: &States<'a>,
    now: DateTime<Utc>,
) -> Result<(&'a Hold, Amount), Rejection> {
    let hold = existing_hold(id, states)?;
    let expired = match hold.status {
        HoldStatus::Open => hold.is_due(now),
        HoldStatus::Expired => true,
        HoldStatus::Captured | HoldStatus::Released => false,
    };
    match (hold.remaining, hold.placed.expires_at) {
        (_, Some(deadline)) if expired => {
            Err(Rejection::HoldExpired { hold: id.clone(), expired_at: Timestamp(deadline) })
        }
        (Some(remaining), _) => Ok((hold, remaining)),
        (None, _) => Err(Rejection::HoldClosed { hold: id.clone(), hold_status: hold.status }),
    }
}

fn existing_hold<'a>(id: &HoldId, states: &States<'a>) -> Result<&'a Hold, Rejection> {
    states.hold(id).ok_or_else(|| Rejection::HoldUnknown { hold: id.clone() })
}

pub(crate) fn release(id: &HoldId, states: &States<'_>, now: DateTime<Utc>) -> Decision {
    if existing_hold(id, states)?.status == HoldStatus::Released {
        return Ok(vec![]);
    }
    let (hold, amount) = open_hold(id, states, now)?;
    let HoldPlaced { hold, debit, credit, asset, .. } = hold.placed.clone();
    Ok(vec![LedgerEvent::HoldReleased(HoldReleased { hold, debit, credit, asset, amount })])
}

pub(crate) fn expire(id: &HoldId, states: &States<'_>, now: DateTime<Utc>) -> Decision {
    let state = existing_hold(id, states)?;
    match (state.status, state.remaining) {
        (HoldStatus::Expired, _) => Ok(vec![]),
        (HoldStatus::Open, Some(amount)) if state.is_due(now) => {
            let HoldPlaced { hold, debit, credit, asset, .. } = state.placed.clone();
            Ok(vec![LedgerEvent::HoldExpired(HoldExpired { hold, debit, credit, asset, amount })])
        }
        (HoldStatus::Open, _) => Err(Rejection::HoldNotDue { hold: id.clone() }),
        (hold_status, _) => Err(Rejection::HoldClosed { hold: id.clone(), hold_status }),
    }
}
