//! From a request and the states it needs to events or a rejection.

use chrono::{DateTime, Utc};
use recount_events::ledger::{LedgerCreated, LedgerEvent};

use crate::command::{Command, Request};
use crate::entity::{Ledger, States};
use crate::rejection::Rejection;
use crate::{
    Decision, accounts, assets, chart, customers, expectations, holds, metadata, periods, reversals,
    transactions,
};

/// Decides a request. No events means: it is so already, and then nothing is expected of any balance either.
pub fn decide(request: &Request, states: &States<'_>, now: DateTime<Utc>) -> Decision {
    let Request { command, expect } = request;
    let Some(ledger) = states.ledger() else {
        return match command {
            Command::CreateLedger { ledger } => {
                expectations::check(expect, &Ledger::default(), states)?;
                Ok(vec![LedgerEvent::LedgerCreated(LedgerCreated { ledger: ledger.clone() })])
            }
            _ => Err(Rejection::LedgerUnknown {}),
        };
    };
    let decision = decide_command(command, ledger, states, now);
    if expect.is_empty() || decision.as_ref().is_ok_and(Vec::is_empty) {
        return decision;
    }
    // Of the faults of the command and those of the expectations, the first in the precedence is named.
    match (decision, expectations::check(expect, ledger, states)) {
        (decision, Ok(())) => decision,
        (Err(fault), Err(unmet)) if fault.rank() <= unmet.rank() => Err(fault),
        (_, Err(unmet)) => Err(unmet),
    }
}

fn decide_command(command: &Command, ledger: &Ledger, states: &States<'_>, now: DateTime<Utc>) -> Decision {
    match command {
        Command::CreateLedger { .. } => Ok(vec![]),
        Command::RegisterAsset { asset } => assets::register(asset, states),
        Command::SetEffectiveWindow { window } => periods::set_window(*window, ledger),
        Command::ClosePeriod { through } => periods::close(*through, ledger, now),
        Command::ReopenPeriod { from } => periods::reopen(*from, ledger),
        Command::SetChart { rules } => chart::set(rules, ledger, states),
        Command::RemoveChart => chart::remove(ledger),
        Command::OpenAccount(open) => accounts::open(open, ledger, states),
        Command::FreezeAccount { account, scope } => accounts::freeze(account, *scope, states),
        Command::UnfreezeAccount { account, scope } => accounts::unfreeze(account, *scope, states),
        Command::CloseAccount { account } => accounts::close(account, states),
        Command::SetOverdraftPolicy { account, overdraft } => {
            accounts::set_overdraft(account, overdraft, states)
        }
        Command::SetBalanceLimits { account, limits } => accounts::set_limits(account, limits, states),
        Command::PostTransaction(post) => transactions::post(post, ledger, states, now),
        Command::ReverseTransaction(reverse) => reversals::reverse(reverse, ledger, states, now),
        Command::Hold(place) => holds::place(place, ledger, states, now),
        Command::Capture(capture) => holds::capture(capture, ledger, states, now),
        Command::Release { hold } => holds::release(hold, states, now),
        Command::Expire { hold } => holds::expire(hold, states, now),
        Command::SetMetadata { of, metadata } => metadata::set(of, metadata, states),
        Command::RemoveMetadata { of, keys } => metadata::remove(of, keys, states),
        Command::RegisterCustomer { customer, profile, metadata } => {
            customers::register(customer, profile, metadata, states)
        }
        Command::UpdateCustomer { customer, profile, metadata } => {
            customers::update(customer, profile, metadata, states)
        }
        Command::LinkAccount { customer, account } => customers::link(customer, account, states),
        Command::UnlinkAccount { customer, account } => customers::unlink(customer, account, states),
        Command::ForgetCustomer { customer } => customers::forget(customer, states),
    }
}
