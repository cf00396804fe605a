//! Deciding on holds: setting value aside, posting it, giving it back.

use chrono::{DateTime, Utc};
use recount_events::ledger::{
    AccountName, Amount, Capture, Direction, Entry, HoldExpired, HoldId, HoldPlaced, HoldReleased,
    LedgerEvent, TransactionPosted,
};

use crate::Decision;
use crate::assets;
use crate::balance::Balance;
use crate::chart::UsedAccounts;
use crate::command::{CaptureHold, PlaceHold};
use crate::entity::{Hold, HoldStatus, Ledger, States, Transaction};
use crate::funds::{self, Leg};
use crate::rejection::{Moment, Rejection};
use crate::transactions::{self, Wanted};

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
            expires_at: Moment(expires_at),
            now: Moment(now),
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
    let found = funds::check_accounts(legs.clone(), &accounts)?;
    funds::check_limits(legs, &found, Balance::with_held)?;
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
        return repeat(command, existing);
    }
    let (hold, remaining) = open_hold(&command.hold, states, now)?;
    let amount = command.amount.unwrap_or(remaining);
    if amount > remaining {
        return Err(Rejection::HoldExceeded { hold: command.hold.clone(), amount, remaining });
    }
    let rest = remaining.less(amount);
    let captures = Capture {
        hold: command.hold.clone(),
        remaining: rest.filter(|_| !command.is_final),
        released: rest.filter(|_| command.is_final),
    };
    let entries = entries(&hold.placed, amount);
    wanted(command, &entries, captures).decide(ledger, states, now)
}

/// Decides on a capture whose transaction is there already. An amount that was not given does not differ: it is what was
/// left then.
fn repeat(command: &CaptureHold, existing: &Transaction) -> Decision {
    let conflict = |field| Err(transactions::conflict(&command.transaction, field));
    let TransactionPosted { entries, captures, .. } = &existing.posted;
    let Some(captures) = captures.as_ref().filter(|capture| capture.hold == command.hold) else {
        return conflict("hold");
    };
    // Whether a capture that leaves nothing was to be the last makes no difference.
    let was_final = captures.released.is_some();
    let was_not = captures.remaining.is_some();
    if (command.is_final && was_not) || (!command.is_final && was_final) {
        return conflict("final");
    }
    // Without an amount nothing is left, so one that left something had an amount.
    let differs = match command.amount {
        Some(amount) => entries.iter().any(|entry| entry.amount != amount),
        None => was_final || was_not,
    };
    if differs {
        return conflict("amount");
    }
    wanted(command, entries, captures.clone()).repeat(existing)
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

fn wanted<'c>(command: &'c CaptureHold, entries: &'c [Entry], captures: Capture) -> Wanted<'c> {
    Wanted {
        transaction: &command.transaction,
        entries,
        // A repeat compares the amount itself.
        amounts_in: "amount",
        effective_at: command.effective_at,
        reference: command.reference.as_ref(),
        metadata: &command.metadata,
        reverses: None,
        captures: Some(captures),
    }
}

/// The hold and what is left of it, if it can still be used. Time decides, not what has run since.
fn open_hold<'a>(
    id: &HoldId,
    states: &States<'a>,
    now: DateTime<Utc>,
) -> Result<(&'a Hold, Amount), Rejection> {
    let hold = known_hold(id, states)?;
    let expired = match hold.status {
        HoldStatus::Open => hold.is_due(now),
        HoldStatus::Expired => true,
        HoldStatus::Captured | HoldStatus::Released => false,
    };
    match (hold.remaining, hold.placed.expires_at) {
        (_, Some(deadline)) if expired => {
            Err(Rejection::HoldExpired { hold: id.clone(), expired_at: Moment(deadline) })
        }
        (Some(remaining), _) => Ok((hold, remaining)),
        (None, _) => Err(Rejection::HoldClosed { hold: id.clone(), hold_status: hold.status }),
    }
}

fn known_hold<'a>(id: &HoldId, states: &States<'a>) -> Result<&'a Hold, Rejection> {
    states.hold(id).ok_or_else(|| Rejection::HoldUnknown { hold: id.clone() })
}

pub(crate) fn release(id: &HoldId, states: &States<'_>, now: DateTime<Utc>) -> Decision {
    if known_hold(id, states)?.status == HoldStatus::Released {
        return Ok(vec![]);
    }
    let (hold, amount) = open_hold(id, states, now)?;
    let HoldPlaced { hold, debit, credit, asset, .. } = hold.placed.clone();
    Ok(vec![LedgerEvent::HoldReleased(HoldReleased { hold, debit, credit, asset, amount })])
}

pub(crate) fn expire(id: &HoldId, states: &States<'_>, now: DateTime<Utc>) -> Decision {
    let state = known_hold(id, states)?;
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
