//! How events change entities. Recorded events are facts: `evolve` accepts every event and never validates.

use std::sync::Arc;

use recount_core::Tag;
use recount_events::ledger::{
    AccountName, Amount, Asset, Capture, Direction, HoldPlaced, LedgerEvent, Metadata, MetadataRemoved,
    MetadataSet, TransactionPosted, tag,
};

use super::account::{Account, Terms};
use super::customer::{Customer, CustomerData};
use super::hold::{Hold, HoldStatus};
use super::ledger::Ledger;
use super::states::Entity;
use super::transaction::Transaction;

/// Folds an event into the entity that `tag` names. An event about other entities does not change it.
pub fn evolve(tag: &Tag, state: &mut Option<Entity>, event: &LedgerEvent) {
    match event {
        LedgerEvent::LedgerCreated(_) => *state = Some(Entity::Ledger(Box::default())),
        LedgerEvent::AssetRegistered(event) => *state = Some(Entity::Asset(event.asset.clone())),
        LedgerEvent::EffectiveWindowSet(event) => with_ledger(state, |ledger| ledger.window = event.window),
        LedgerEvent::PeriodClosed(event) => {
            with_ledger(state, |ledger| ledger.closed_through = Some(event.through))
        }
        LedgerEvent::PeriodReopened(event) => with_ledger(state, |ledger| ledger.reopen(event.from)),
        LedgerEvent::ChartSet(event) => {
            with_ledger(state, |ledger| ledger.chart = Some(Arc::new(event.rules.clone().into())));
        }
        LedgerEvent::ChartRemoved(_) => with_ledger(state, |ledger| ledger.chart = None),
        LedgerEvent::AccountOpened(event) => {
            *state = Some(Entity::Account(Account::opened(event.clone())));
        }
        LedgerEvent::AccountFrozen(event) => {
            with_account(state, |account| account.set_frozen(event.scope, true))
        }
        LedgerEvent::AccountUnfrozen(event) => {
            with_account(state, |account| account.set_frozen(event.scope, false));
        }
        LedgerEvent::AccountClosed(_) => with_account(state, |account| account.closed = true),
        LedgerEvent::OverdraftPolicySet(event) => {
            with_terms(state, |terms| terms.overdraft = event.overdraft.clone());
        }
        LedgerEvent::BalanceLimitsSet(event) => {
            with_terms(state, |terms| terms.limits = event.limits.clone());
        }
        LedgerEvent::TransactionPosted(event) => by_transaction(tag, state, event),
        LedgerEvent::HoldPlaced(event) => by_hold(tag, state, event),
        LedgerEvent::HoldReleased(event) => {
            let remainder = HoldRemainder {
                debit: &event.debit,
                credit: &event.credit,
                asset: &event.asset,
                amount: event.amount,
            };
            end_hold(tag, state, remainder, HoldStatus::Released);
        }
        LedgerEvent::HoldExpired(event) => {
            let remainder = HoldRemainder {
                debit: &event.debit,
                credit: &event.credit,
                asset: &event.asset,
                amount: event.amount,
            };
            end_hold(tag, state, remainder, HoldStatus::Expired);
        }
        LedgerEvent::MetadataSet(event) => set_metadata(state, event),
        LedgerEvent::MetadataRemoved(event) => remove_metadata(state, event),
        LedgerEvent::CustomerRegistered(event) => {
            let customer = Customer::registered(&event.profile, &event.metadata);
            *state = Some(Entity::Customer(Box::new(customer)));
        }
        LedgerEvent::CustomerUpdated(event) => with_customer(state, |customer| {
            customer.current =
                CustomerData { profile: event.profile.clone(), metadata: event.metadata.clone() };
        }),
        // The time of a log is the engine's; no state depends on it.
        LedgerEvent::TimeCorrected(_) => {}
        LedgerEvent::CustomerForgotten(_) => with_customer(state, Customer::forget),
        LedgerEvent::AccountLinked(_) => set_linked(tag, state, true),
        LedgerEvent::AccountUnlinked(_) => set_linked(tag, state, false),
    }
}

fn with_ledger(state: &mut Option<Entity>, change: impl FnOnce(&mut Ledger)) {
    if let Some(Entity::Ledger(ledger)) = state {
        change(ledger);
    }
}

fn with_account(state: &mut Option<Entity>, change: impl FnOnce(&mut Account)) {
    if let Some(Entity::Account(account)) = state {
        change(account);
    }
}

fn with_terms(state: &mut Option<Entity>, change: impl FnOnce(&mut Terms)) {
    with_account(state, |account| change(Arc::make_mut(&mut account.terms)));
}

fn with_customer(state: &mut Option<Entity>, change: impl FnOnce(&mut Customer)) {
    if let Some(Entity::Customer(customer)) = state {
        change(customer);
    }
}

fn by_transaction(tag: &Tag, state: &mut Option<Entity>, event: &TransactionPosted) {
    let (kind, name) = tag.parts();
    match (kind, state.as_mut()) {
        (tag::ACCOUNT, Some(Entity::Account(account))) => post(account, name, event),
        (tag::REFERENCE, _) => *state = Some(Entity::Reference(event.transaction.clone())),
        (tag::HOLD, Some(Entity::Hold(hold))) => {
            if let Some(capture) = &event.captures {
                captured(hold, capture);
            }
        }
        (tag::TRANSACTION, _) if event.transaction.as_str() == name => {
            *state = Some(Entity::Transaction(Box::new(Transaction::posted(event))));
        }
        (tag::TRANSACTION, Some(Entity::Transaction(reversed))) => reversed.reverse(event),
        _ => {}
    }
}

/// Posts the entries on the account. The entries of a capture also reduce its held amounts.
fn post(account: &mut Account, name: &str, event: &TransactionPosted) {
    for entry in event.entries.iter().filter(|entry| entry.account.as_str() == name) {
        let balance = account.balance_mut(&entry.asset);
        balance.post(entry.direction, entry.amount);
        if let Some(capture) = &event.captures {
            balance.release_hold(entry.direction, entry.amount);
            capture.released.into_iter().for_each(|released| balance.release_hold(entry.direction, released));
        }
    }
}

fn captured(hold: &mut Hold, capture: &Capture) {
    match capture.remaining {
        Some(remaining) => hold.remaining = Some(remaining),
        None => hold.close(HoldStatus::Captured),
    }
}

fn by_hold(tag: &Tag, state: &mut Option<Entity>, event: &HoldPlaced) {
    if tag.parts().0 == tag::HOLD {
        *state = Some(Entity::Hold(Box::new(Hold::placed(event))));
        return;
    }
    for (direction, account) in [(Direction::Debit, &event.debit), (Direction::Credit, &event.credit)] {
        with_account_named(tag, state, account, |state| {
            state.balance_mut(&event.asset).add_hold(direction, event.amount);
        });
    }
}

/// The remaining amount of a hold that ends without a capture.
struct HoldRemainder<'e> {
    debit: &'e AccountName,
    credit: &'e AccountName,
    asset: &'e Asset,
    amount: Amount,
}

fn end_hold(tag: &Tag, state: &mut Option<Entity>, remainder: HoldRemainder<'_>, status: HoldStatus) {
    if let Some(Entity::Hold(hold)) = state {
        hold.close(status);
        return;
    }
    for (direction, account) in [(Direction::Debit, remainder.debit), (Direction::Credit, remainder.credit)] {
        with_account_named(tag, state, account, |state| {
            state.balance_mut(remainder.asset).release_hold(direction, remainder.amount);
        });
    }
}

fn with_account_named(
    tag: &Tag,
    state: &mut Option<Entity>,
    account: &AccountName,
    change: impl FnOnce(&mut Account),
) {
    if tag.parts().1 == account.as_str() {
        with_account(state, change);
    }
}

fn set_metadata(state: &mut Option<Entity>, event: &MetadataSet) {
    if let Some(metadata) = metadata_mut(state) {
        metadata.extend(event.metadata.clone());
    }
}

fn remove_metadata(state: &mut Option<Entity>, event: &MetadataRemoved) {
    if let Some(metadata) = metadata_mut(state) {
        metadata.retain(|key, _| !event.keys.contains(key));
    }
}

fn metadata_mut(state: &mut Option<Entity>) -> Option<&mut Metadata> {
    match state {
        Some(Entity::Account(account)) => Some(&mut Arc::make_mut(&mut account.terms).metadata),
        Some(Entity::Transaction(transaction)) => Some(transaction.metadata_mut()),
        _ => None,
    }
}

fn set_linked(tag: &Tag, state: &mut Option<Entity>, linked: bool) {
    if tag.parts().0 == tag::LINK {
        *state = Some(Entity::Link(linked));
    }
}
