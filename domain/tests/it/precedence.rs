//! One row per rejection and per neighbouring pair in the precedence: a transaction with two faults gets the first.

use recount_domain::{Command, RejectionCode};
use recount_events::ledger::{Direction, FreezeScope};

use crate::support::{Book, close, entry, freeze, given, pay, post, posting, reverse, transfer};

#[test]
fn codes_are_unique_and_advise() {
    let mut codes: Vec<&str> = RejectionCode::ALL.iter().map(|code| code.code).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), RejectionCode::ALL.len());
    assert!(RejectionCode::ALL.iter().all(|code| code.advice.ends_with('.')));
}

fn refer(id: &str, reference: &str, entries: Vec<recount_events::ledger::Entry>) -> Command {
    let mut command = posting(id, entries);
    command.reference = Some(reference.parse().unwrap());
    Command::PostTransaction(command)
}

#[test]
fn of_several_faults_the_first_in_the_precedence_is_named() {
    let book = given(&[
        refer("t1", "taken", transfer("bank", "alice", "USD/2", 100)),
        pay("t2", "bank", "alice", 5),
        reverse("t2", "r2"),
        close("bob"),
        freeze("shop", FreezeScope::Both),
    ]);
    let one_entry = || vec![entry("bank", Direction::Debit, "USD/2", 1)];
    let uneven = |asset: &str| {
        vec![entry("nobody", Direction::Debit, asset, 2), entry("alice", Direction::Credit, asset, 1)]
    };
    let rows: Vec<(Command, &str)> = vec![
        (refer("t1", "other", one_entry()), "transaction-conflict"),
        (refer("t1", "taken", one_entry()), "transaction-conflict"),
        (reverse("nothing", "t1"), "transaction-unknown"),
        (reverse("t2", "t1"), "transaction-already-reversed"),
        (refer("t9", "taken", one_entry()), "reference-taken"),
        (post("t9", one_entry()), "entries-out-of-bounds"),
        (post("t9", uneven("GBP/2")), "unbalanced"),
        (post("t9", transfer("nobody", "alice", "GBP/2", 1)), "asset-unknown"),
        (post("t9", transfer("nobody", "alice", "USD/3", 1)), "asset-scale-differs"),
        (pay("t9", "nobody", "bob", 1), "account-unknown"),
        (pay("t9", "bob", "shop", 1), "account-closed"),
        (pay("t9", "shop", "alice", i128::MAX), "account-frozen"),
        (pay("t9", "alice", "bank", i128::MAX), "balance-overflow"),
        (pay("t9", "alice", "bank", 101), "insufficient-funds"),
    ];
    for (command, code) in rows {
        let before = book.entities.clone();
        book.when(command).rejected(code);
        assert_eq!(book.entities, before, "a rejected command changes nothing");
    }
}

#[test]
fn nothing_can_be_asked_of_a_ledger_that_was_not_created() {
    let nowhere = Book::default();
    for command in [
        pay("t1", "bank", "alice", 1),
        reverse("t1", "r1"),
        close("bank"),
        freeze("bank", FreezeScope::Both),
        Command::RegisterAsset { asset: "USD/2".parse().unwrap() },
    ] {
        nowhere.when(command).rejected("ledger-unknown");
    }
}
