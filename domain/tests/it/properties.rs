//! Properties of every history, some of them checked against a reference model.
//!
//! For each decision, [`Book`] also asserts that it reads only what it named, and that its events decode as they were
//! encoded.
//!
//! [`Book`]: crate::support::Book

use std::collections::HashMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use recount_core::Tag;
use recount_domain::{Entity, HoldStatus, RejectionCode, Request};
use recount_events::ledger::codec::EVENT_TYPES;
use recount_events::ledger::{LedgerEvent, encode};

use crate::histories::{Step, beginning, carries_an_id, history, money_history};
use crate::model::{HoldEnd, Model, ModelOutcome};
use crate::support::*;

/// The initial book of every history, and its model.
fn beginning_with_model() -> (Book, Model) {
    let mut model = Model::default();
    let commands = [
        open("bank", recount_events::ledger::AccountKind::Asset),
        open("alice", recount_events::ledger::AccountKind::Liability),
        open("bob", recount_events::ledger::AccountKind::Liability),
        open("shop", recount_events::ledger::AccountKind::Income),
        pay("start-1", "bank", "alice", 300),
        pay("start-2", "bank", "bob", 100),
        hold("h0", "alice", "shop", 50),
    ];
    for command in commands {
        model.apply(&command, now());
    }
    (beginning(), model)
}

fn outcome(book: &Book, request: &Request) -> ModelOutcome {
    match book.decide(request) {
        Ok(events) if events.is_empty() => ModelOutcome::NoEffect,
        Ok(_) => ModelOutcome::Accepted,
        Err(rejection) => ModelOutcome::Rejected(rejection.code().code),
    }
}

const ASSETS: [&str; 2] = ["USD/2", "EUR/2"];

/// The book has the same balances and holds as the model, and no others.
fn assert_same(book: &Book, model: &Model) {
    for account in model.account_names() {
        for asset in ASSETS {
            let figures = book.figures_in(account, asset);
            let figures = [figures.posted, figures.held, figures.incoming, figures.available];
            assert_eq!(figures, model.figures(account, asset), "{account} in {asset}");
        }
    }
    let is_account = |entity: &&Entity| matches!(entity, Entity::Account(_));
    assert_eq!(book.entities.values().filter(is_account).count(), model.account_names().count());
    for hold in model.holds() {
        let state = book.hold(hold.placed.hold.as_str());
        let left = state.remaining.map_or(0, recount_events::ledger::Amount::minor_units);
        assert_eq!(left.unsigned_abs(), hold.left, "{:?}", hold.placed);
        let end = match state.status {
            HoldStatus::Open => HoldEnd::Open,
            HoldStatus::Captured => HoldEnd::Captured,
            HoldStatus::Released => HoldEnd::Released,
            HoldStatus::Expired => HoldEnd::Expired,
        };
        assert_eq!(end, hold.end, "{:?}", hold.placed);
    }
}

/// The debits and credits that open holds reserve on an account, summed over the holds.
fn held_by_holds(book: &Book, account: &str, asset: &str) -> (i128, i128) {
    let mut held = (0, 0);
    for entity in book.entities.values() {
        let Entity::Hold(hold) = entity else { continue };
        let left = hold.remaining.map_or(0, recount_events::ledger::Amount::minor_units);
        assert!(left <= hold.placed.amount.minor_units(), "a hold never holds more than it was placed for");
        if hold.placed.asset.as_str() != asset {
            continue;
        }
        held.0 += if hold.placed.debit.as_str() == account { left } else { 0 };
        held.1 += if hold.placed.credit.as_str() == account { left } else { 0 };
    }
    held
}

/// The debits of all accounts minus their credits.
fn total(book: &Book, asset: &str) -> i128 {
    let accounts = book.entities.values().filter_map(|entity| match entity {
        Entity::Account(account) => Some(account.balance(&asset.parse().unwrap())),
        _ => None,
    });
    // Balances are in range, but partial sums need not be. They wrap, and the total is zero nevertheless.
    accounts.fold(0_i128, |sum, balance| sum.wrapping_add(balance.net))
}

/// No command takes the account out of its limits, or further out.
fn assert_within_limits(before: &Book, after: &Book, model: &Model, account: &str) {
    for asset in ASSETS {
        let (floor, ceiling) = model.limits(account, asset);
        let is = after.figures_in(account, asset);
        let was =
            if before.has_account(account) { before.figures_in(account, asset) } else { Default::default() };
        assert!(
            is.available >= floor || is.available >= was.available,
            "{account} has {} available in {asset}, below its minimum {floor}",
            is.available
        );
        let (total, before) = (is.posted + is.incoming, was.posted + was.incoming);
        assert!(
            total <= ceiling || total <= before,
            "{account} has {total} in {asset}, above its maximum {ceiling}"
        );
    }
}

fn by_snapshots(entities: &HashMap<Tag, Entity>) -> HashMap<Tag, Entity> {
    let through_json =
        |entity: &Entity| serde_json::from_str(&serde_json::to_string(entity).unwrap()).unwrap();
    entities.iter().map(|(tag, entity)| (tag.clone(), through_json(entity))).collect()
}

fn folded(mut entities: HashMap<Tag, Entity>, events: &[LedgerEvent]) -> HashMap<Tag, Entity> {
    for event in events {
        fold(&mut entities, event);
    }
    entities
}

proptest! {
    /// All balances are compared, so this also finds an event whose tags omit an account that it changes.
    #[test]
    fn decisions_and_balances_match_the_model(steps in money_history()) {
        let (mut book, mut model) = beginning_with_model();
        for Step { wait, request } in &steps {
            book.now += *wait;
            let expected = model.outcome(request, book.now);
            prop_assert_eq!(outcome(&book, request), expected, "{:?}", request);
            if book.run(request).is_ok_and(|events| !events.is_empty()) {
                model.apply(&request.command, book.now);
            }
            assert_same(&book, &model);
        }
    }

    #[test]
    fn value_is_conserved_limits_are_kept_and_held_amounts_match_open_holds(steps in money_history()) {
        let (mut book, mut model) = beginning_with_model();
        for Step { wait, request } in &steps {
            book.now += *wait;
            let before = book.clone();
            if book.run(request).is_ok_and(|events| !events.is_empty()) {
                model.apply(&request.command, book.now);
            }
            let accounts: Vec<String> = model.account_names().map(str::to_owned).collect();
            for asset in ASSETS {
                prop_assert_eq!(total(&book, asset), 0);
            }
            for account in &accounts {
                assert_within_limits(&before, &book, &model, account);
                for asset in ASSETS {
                    let balance = book.account(account).balance(&asset.parse().unwrap());
                    let held = held_by_holds(&book, account, asset);
                    prop_assert_eq!((balance.held_debits, balance.held_credits), held);
                }
            }
        }
    }

    #[test]
    fn retrying_an_accepted_command_changes_nothing(steps in history()) {
        let mut book = beginning();
        for Step { wait, request } in &steps {
            book.now += *wait;
            if book.run(request).is_ok() {
                prop_assert_eq!(book.decide(request), Ok(vec![]));
            }
        }
    }

    #[test]
    fn retrying_a_command_with_an_id_has_no_further_effect(steps in history()) {
        const EVERY: usize = 7;
        let mut book = beginning();
        let mut accepted: Vec<&Request> = Vec::new();
        for (n, Step { wait, request }) in steps.iter().enumerate() {
            book.now += *wait;
            if book.run(request).is_ok() && carries_an_id(&request.command) {
                accepted.push(request);
            }
            if n % EVERY == 0 || n + 1 == steps.len() {
                for request in &accepted {
                    let again = book.decide(request);
                    prop_assert!(again.as_ref().map_or(true, Vec::is_empty), "{request:?} did {again:?}");
                }
            }
        }
    }

    #[test]
    fn folding_events_from_any_snapshot_gives_the_same_state(steps in history(), cut in any::<prop::sample::Index>()) {
        let mut book = beginning();
        for Step { wait, request } in &steps {
            book.now += *wait;
            let _ = book.run(request);
        }
        prop_assert_eq!(&folded(HashMap::new(), &book.events), &book.entities);
        let (early, late) = book.events.split_at(cut.index(book.events.len() + 1));
        let snapshots = by_snapshots(&folded(HashMap::new(), early));
        prop_assert_eq!(&folded(snapshots, late), &book.entities);
    }

    #[test]
    fn decisions_are_deterministic(steps in history()) {
        let mut book = beginning();
        for Step { wait, request } in &steps {
            book.now += *wait;
            let decision = book.decide(request);
            let elsewhere = Book { entities: by_snapshots(&book.entities), ..book.clone() };
            prop_assert_eq!(&elsewhere.decide(request), &decision);
            prop_assert_eq!(&book.run(request), &decision);
        }
    }
}

/// Histories in which almost every command succeeds, or almost every command fails, would prove little.
#[test]
fn generated_histories_reach_every_event_and_almost_every_rejection() {
    const HISTORIES: usize = 500;
    let (mut happened, mut rejected) = (Vec::new(), Vec::new());
    let mut runner = TestRunner::deterministic();
    for _ in 0..HISTORIES {
        let steps = history().new_tree(&mut runner).unwrap().current();
        let mut book = beginning();
        for Step { wait, request } in steps {
            book.now += wait;
            match book.run(&request) {
                Ok(events) => happened.extend(events.iter().map(|event| encode(event).event_type)),
                Err(rejection) => rejected.push(rejection.code().code),
            }
        }
    }
    let names = EVENT_TYPES.iter().map(|(name, _)| *name);
    assert_eq!(
        names.filter(|name| !happened.contains(name)).collect::<Vec<_>>(),
        ["ledger-created", "time-corrected"]
    );
    let codes = RejectionCode::ALL.iter().map(|code| code.code);
    assert_eq!(
        codes.filter(|code| !rejected.contains(code)).collect::<Vec<_>>(),
        ["ledger-unknown", "metadata-too-large"]
    );
}
