//! What holds for every history, against a reference model that is written another way.

use std::collections::BTreeMap;

use proptest::prelude::*;
use recount_domain::{Command, Entity};
use recount_events::ledger::{AccountKind, FreezeScope, LedgerEvent, Overdraft};

use crate::support::{Book, close, freeze, given, limited, post, reverse, set_overdraft, transfer, unfreeze};

const ACCOUNTS: [&str; 4] = ["bank", "alice", "bob", "shop"];

fn account() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&ACCOUNTS[..])
}

fn command() -> impl Strategy<Value = Command> {
    let transfers = prop::collection::vec((account(), account(), 1..200_i128, any::<bool>()), 1..4);
    prop_oneof![
        8 => (0..40_u8, transfers).prop_map(|(id, transfers)| {
            let entries = transfers.into_iter().flat_map(|(debit, credit, amount, dollars)| {
                transfer(debit, credit, if dollars { "USD/2" } else { "EUR/2" }, amount)
            });
            post(&format!("t{id}"), entries.collect())
        }),
        2 => (0..40_u8, 0..40_u8).prop_map(|(id, by)| reverse(&format!("t{id}"), &format!("r{by}"))),
        1 => account().prop_map(|account| freeze(account, FreezeScope::Debits)),
        1 => account().prop_map(|account| unfreeze(account, FreezeScope::Both)),
        1 => account().prop_map(close),
        1 => (account(), 1..300_i128).prop_map(|(account, limit)| set_overdraft(account, limited("USD/2", limit))),
        1 => account().prop_map(|account| set_overdraft(account, Overdraft::Unlimited)),
    ]
}

/// Signed sums by account and asset, debits positive, from the events alone.
fn recount(events: &[LedgerEvent]) -> BTreeMap<(String, String), i128> {
    let mut sums = BTreeMap::new();
    for event in events {
        let LedgerEvent::TransactionPosted(posted) = event else {
            continue;
        };
        for entry in &posted.entries {
            let sign = if entry.direction.as_str() == "debit" { 1 } else { -1 };
            *sums.entry((entry.account.to_string(), entry.asset.to_string())).or_insert(0) +=
                sign * entry.amount.minor_units();
        }
    }
    sums
}

fn normal_sign(account: &str) -> i128 {
    match account {
        "bank" => 1,
        _ => -1,
    }
}

fn overdraft_of(book: &Book, account: &str) -> Overdraft {
    match &book.entities[&recount_events::Tag::new("account", account)] {
        Entity::Account(account) => account.overdraft.clone(),
        other => panic!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn money_is_conserved_and_the_fold_of_the_events_is_the_state(commands in prop::collection::vec(command(), 1..60)) {
        let mut book = given(&[]);
        for command in &commands {
            let before = recount(&book.events);
            let accepted = book.run(command).is_ok();
            let sums = recount(&book.events);

            let mut per_asset: BTreeMap<&str, i128> = BTreeMap::new();
            for ((_, asset), sum) in &sums {
                *per_asset.entry(asset.as_str()).or_default() += sum;
            }
            prop_assert!(per_asset.values().all(|sum| *sum == 0), "value appeared or vanished: {per_asset:?}");

            for ((account, asset), sum) in &sums {
                prop_assert_eq!(book.balance(account, asset), sum * normal_sign(account));
            }
            if !accepted {
                prop_assert_eq!(before, sums);
            }
        }
    }

    #[test]
    fn no_account_is_brought_below_its_minimum(commands in prop::collection::vec(command(), 1..60)) {
        let mut book = given(&[]);
        for command in &commands {
            let before = recount(&book.events);
            let _ = book.run(command);
            for ((account, asset), sum) in recount(&book.events) {
                let balance = sum * normal_sign(&account);
                let minimum = match overdraft_of(&book, &account) {
                    Overdraft::None => 0,
                    Overdraft::Limited(limits) if asset == "USD/2" => -limits[0].amount.minor_units(),
                    Overdraft::Limited(_) => 0,
                    Overdraft::Unlimited => i128::MIN,
                };
                let was = before.get(&(account.clone(), asset.clone())).copied().unwrap_or(0) * normal_sign(&account);
                prop_assert!(balance >= minimum || balance >= was, "{account} fell to {balance}, minimum {minimum}");
            }
        }
    }

    #[test]
    fn repeating_any_command_changes_nothing(commands in prop::collection::vec(command(), 1..40)) {
        let mut book = given(&[]);
        for command in &commands {
            if book.run(command).is_ok() {
                prop_assert_eq!(book.decide(command), Ok(vec![]));
            }
        }
    }

    #[test]
    fn decisions_are_deterministic(commands in prop::collection::vec(command(), 1..40)) {
        let (mut one, mut other) = (given(&[]), given(&[]));
        for command in &commands {
            prop_assert_eq!(one.run(command), other.run(command));
        }
        prop_assert_eq!(one.events, other.events);
    }
}

#[test]
fn the_reference_model_knows_the_normal_side_of_every_account() {
    let kinds = [AccountKind::Asset, AccountKind::Liability, AccountKind::Liability, AccountKind::Income];
    for (account, kind) in ACCOUNTS.iter().zip(kinds) {
        let sign = if kind.normal_side().as_str() == "debit" { 1 } else { -1 };
        assert_eq!(normal_sign(account), sign);
    }
}
