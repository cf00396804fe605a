//! The balances that a decision changes.

use recount_core::Tag;
use recount_domain::{BalanceChange, Command, Figures, States, explain};
use recount_events::ledger::AccountKind;

use crate::support::*;

/// The balance changes of the command, computed with only the entities that its events concern.
fn changes(book: &Book, command: Command) -> Vec<BalanceChange> {
    let mut after = book.clone();
    let events = after.run(&command.into()).unwrap();
    let concerned: Vec<Tag> = events.iter().flat_map(|event| event.tags()).collect();
    let entities_after = after.entities;
    let find_before = |tag: &Tag| book.entities.get(tag).filter(|_| concerned.contains(tag));
    let find_after = |tag: &Tag| entities_after.get(tag).filter(|_| concerned.contains(tag));
    explain(&events, &States::new(&find_before), &States::new(&find_after))
}

fn change(account: &str, asset: &str, before: [i128; 4], after: [i128; 4]) -> BalanceChange {
    let figures =
        |[posted, held, incoming, available]: [i128; 4]| Figures { posted, held, incoming, available };
    BalanceChange {
        account: account.parse().unwrap(),
        asset: asset.parse().unwrap(),
        before: figures(before),
        after: figures(after),
    }
}

#[test]
fn a_transaction_changes_the_balances_of_its_accounts() {
    let book = given(&[pay("t1", "bank", "alice", 100)]);
    let entries = [transfer("alice", "bob", "USD/2", 30), transfer("bank", "alice", "EUR/2", 7)].concat();
    assert_eq!(
        changes(&book, post("t2", entries)),
        [
            change("alice", "EUR/2", [0, 0, 0, 0], [7, 0, 0, 7]),
            change("alice", "USD/2", [100, 0, 0, 100], [70, 0, 0, 70]),
            change("bank", "EUR/2", [0, 0, 0, 0], [7, 0, 0, 7]),
            change("bob", "USD/2", [0, 0, 0, 0], [30, 0, 0, 30]),
        ]
    );
}

#[test]
fn a_hold_changes_the_balances_of_both_accounts() {
    let book = given(&[pay("t1", "bank", "alice", 100)]);
    assert_eq!(
        changes(&book, hold("h1", "alice", "shop", 60)),
        [
            change("alice", "USD/2", [100, 0, 0, 100], [100, 60, 0, 40]),
            change("shop", "USD/2", [0, 0, 0, 0], [0, 0, 60, 0]),
        ]
    );
    let book = book.and(hold("h1", "alice", "shop", 60));
    assert_eq!(
        changes(&book, capture_last("h1", "c1", 20)),
        [
            change("alice", "USD/2", [100, 60, 0, 40], [80, 0, 0, 80]),
            change("shop", "USD/2", [0, 0, 60, 0], [20, 0, 0, 20]),
        ]
    );
    assert_eq!(
        changes(&book, release("h1")),
        [
            change("alice", "USD/2", [100, 60, 0, 40], [100, 0, 0, 100]),
            change("shop", "USD/2", [0, 0, 60, 0], [0, 0, 0, 0]),
        ]
    );
}

#[test]
fn an_account_opened_by_the_command_has_zero_before() {
    let book = given(&[set_chart(&[opening_rule("users:*", AccountKind::Liability)])]);
    assert_eq!(
        changes(&book, pay("t1", "bank", "users:al", 5)),
        [
            change("bank", "USD/2", [0, 0, 0, 0], [5, 0, 0, 5]),
            change("users:al", "USD/2", [0, 0, 0, 0], [5, 0, 0, 5]),
        ]
    );
}

#[test]
fn equal_debits_and_credits_do_not_change_a_balance() {
    let book = given(&[pay("t1", "bank", "alice", 5)]);
    assert_eq!(changes(&book, pay("t2", "alice", "alice", 9)), []);
    let held = change("alice", "USD/2", [5, 0, 0, 5], [5, 3, 3, 2]);
    assert_eq!(changes(&book, hold("h1", "alice", "alice", 3)), [held]);
}

#[test]
fn commands_that_move_no_value_change_no_balance() {
    let book = given(&[pay("t1", "bank", "alice", 5), register("c1", "Alice")]);
    for command in [
        open("cash", AccountKind::Asset),
        set_metadata(of_account("alice"), serde_json::json!({"a": 1})),
        freeze("alice", recount_events::ledger::FreezeScope::Both),
        link("c1", "alice"),
        close_period("2025-01-01T00:00:00Z"),
        pay("t1", "bank", "alice", 5),
    ] {
        assert_eq!(changes(&book, command), []);
    }
}
