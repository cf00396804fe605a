//! From a request and the entities that it needs to events or a rejection.
//!
//! [`needs`] and [`decide`] dispatch to one module per family of commands, which holds the rules. A new command gets an
//! arm in `command_needs` and one in `decide_command`.

use chrono::{DateTime, Utc};
use recount_core::Tag;
use recount_events::ledger::{LedgerCreated, LedgerEvent, MetadataOwner, tag};

use crate::command::{Command, Request};
use crate::decision::Decision;
use crate::entity::{Ledger, States};
use crate::rejection::Rejection;
use crate::{
    accounts, assets, chart, customers, expectations, holds, metadata, periods, reversals, transactions,
};

/// The entities that deciding the request reads.
///
/// The answer may depend on loaded state: a reversal needs the accounts of the original transaction. If
/// [`needs_more_when_loaded`] is true, load the entities and ask again until the answer names no new ones.
pub fn needs(request: &Request, states: &States<'_>) -> Vec<Tag> {
    let mut tags = vec![tag::ledger()];
    command_needs(&request.command, states, &mut tags);
    for expectation in &request.expect {
        tags.extend([tag::account(&expectation.account), tag::asset(&expectation.asset)]);
    }
    tags
}

/// Whether the needs of the request depend on loaded state.
pub fn needs_more_when_loaded(request: &Request) -> bool {
    matches!(request.command, Command::ReverseTransaction(_) | Command::Capture(_))
}

/// Decides a request. If the command's effect already holds, there are no events, and expectations are not checked.
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
    // If both the command and an expectation fail, the rejection that is first in the precedence wins.
    match (decision, expectations::check(expect, ledger, states)) {
        (decision, Ok(())) => decision,
        (Err(fault), Err(unmet)) if fault.rank() <= unmet.rank() => Err(fault),
        (_, Err(unmet)) => Err(unmet),
    }
}

fn command_needs(command: &Command, states: &States<'_>, tags: &mut Vec<Tag>) {
    match command {
        Command::CreateLedger { .. }
        | Command::SetEffectiveWindow { .. }
        | Command::ClosePeriod { .. }
        | Command::ReopenPeriod { .. }
        | Command::RemoveChart => {}
        Command::RegisterAsset { asset } => tags.push(tag::asset(asset)),
        Command::SetChart { rules } => tags.extend(chart::assets_of(rules).map(tag::asset)),
        Command::OpenAccount(open) => accounts::open_needs(open, tags),
        Command::FreezeAccount { account, .. }
        | Command::UnfreezeAccount { account, .. }
        | Command::CloseAccount { account } => tags.push(tag::account(account)),
        Command::SetOverdraftPolicy { account, overdraft } => {
            tags.push(tag::account(account));
            tags.extend(assets::of_overdraft(overdraft).map(tag::asset));
        }
        Command::SetBalanceLimits { account, limits } => {
            tags.push(tag::account(account));
            tags.extend(assets::of_limits(limits).map(tag::asset));
        }
        Command::PostTransaction(post) => transactions::post_needs(post, tags),
        Command::ReverseTransaction(reverse) => reversals::reverse_needs(reverse, states, tags),
        Command::Hold(place) => holds::place_needs(place, tags),
        Command::Capture(capture) => holds::capture_needs(capture, states, tags),
        Command::Release { hold } | Command::Expire { hold } => tags.push(tag::hold(hold)),
        Command::SetMetadata { of, .. } | Command::RemoveMetadata { of, .. } => {
            tags.push(MetadataOwner::tag(of))
        }
        Command::RegisterCustomer { customer, .. }
        | Command::UpdateCustomer { customer, .. }
        | Command::ForgetCustomer { customer } => tags.push(tag::customer(customer)),
        Command::LinkAccount { customer, account } | Command::UnlinkAccount { customer, account } => {
            tags.extend([tag::customer(customer), tag::account(account), tag::link(customer, account)]);
        }
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
