//! Posting and reversing.

use recount_domain::{Command, ENTRIES_MAX};
use recount_events::ledger::{AccountKind, Direction, Overdraft};

use crate::support::{entry, given, open_with, pay, post, posting, reverse, transfer};

#[test]
fn a_transfer_moves_value_between_normal_sides() {
    let book = given(&[]).when(pay("t1", "bank", "alice", 250)).happens(1);
    assert_eq!(book.balance("bank", "USD/2"), 250);
    assert_eq!(book.balance("alice", "USD/2"), 250);
    let book = book.when(pay("t2", "alice", "shop", 100)).happens(1);
    assert_eq!((book.balance("alice", "USD/2"), book.balance("shop", "USD/2")), (150, 100));
}

#[test]
fn many_debits_stand_against_many_credits_in_several_assets() {
    let mut entries = transfer("bank", "alice", "EUR/2", 7);
    entries.extend([
        entry("bank", Direction::Debit, "USD/2", 100),
        entry("alice", Direction::Credit, "USD/2", 60),
        entry("bob", Direction::Credit, "USD/2", 40),
    ]);
    let book = given(&[]).when(post("t1", entries)).happens(1);
    assert_eq!((book.balance("bank", "USD/2"), book.balance("alice", "USD/2")), (100, 60));
    assert_eq!(book.balance("alice", "EUR/2"), 7);
}

#[test]
fn debits_equal_credits_in_every_asset() {
    let uneven =
        vec![entry("bank", Direction::Debit, "USD/2", 2), entry("alice", Direction::Credit, "USD/2", 1)];
    given(&[]).when(post("t1", uneven)).rejected("unbalanced");
    let crossed =
        vec![entry("bank", Direction::Debit, "USD/2", 1), entry("alice", Direction::Credit, "EUR/2", 1)];
    given(&[]).when(post("t1", crossed)).rejected("unbalanced");
}

#[test]
fn a_transaction_has_two_entries_at_least_and_a_bounded_number() {
    given(&[]).when(post("t1", vec![])).rejected("entries-out-of-bounds");
    let one = vec![entry("bank", Direction::Debit, "USD/2", 1)];
    given(&[]).when(post("t1", one)).rejected("entries-out-of-bounds");
    let pairs = |count: usize| (0..count).flat_map(|_| transfer("bank", "alice", "USD/2", 1)).collect();
    given(&[]).when(post("t1", pairs(ENTRIES_MAX / 2))).happens(1);
    given(&[]).when(post("t1", pairs(ENTRIES_MAX / 2 + 1))).rejected("entries-out-of-bounds");
}

#[test]
fn what_counts_is_where_the_whole_transaction_leaves_an_account() {
    let mut entries = transfer("alice", "bob", "USD/2", 10);
    entries.extend(transfer("bank", "alice", "USD/2", 10));
    given(&[]).when(post("t1", entries)).happens(1);
}

#[test]
fn a_repeated_transaction_must_say_the_same() {
    let book = given(&[pay("t1", "bank", "alice", 5)]);
    book.when(pay("t1", "bank", "alice", 5)).nothing_happens();
    book.when(pay("t1", "bank", "alice", 6)).rejected("transaction-conflict");
    let mut backdated = posting("t1", transfer("bank", "alice", "USD/2", 5));
    backdated.effective_at = Some("2020-01-01T00:00:00Z".parse().unwrap());
    book.when(Command::PostTransaction(backdated)).rejected("transaction-conflict");
    let mut noted = posting("t1", transfer("bank", "alice", "USD/2", 5));
    noted.metadata.insert("note".to_owned(), "x".into());
    book.when(Command::PostTransaction(noted)).rejected("transaction-conflict");
}

#[test]
fn a_reference_belongs_to_one_transaction() {
    let referring = |id: &str| {
        let mut command = posting(id, transfer("bank", "alice", "USD/2", 5));
        command.reference = Some("order 1".parse().unwrap());
        Command::PostTransaction(command)
    };
    let book = given(&[referring("t1")]);
    book.when(referring("t1")).nothing_happens();
    book.when(referring("t2")).rejected("reference-taken");
    book.when(pay("t1", "bank", "alice", 5)).rejected("transaction-conflict");
}

#[test]
fn a_reversal_restores_every_balance_and_happens_once() {
    let book = given(&[pay("t1", "bank", "alice", 100)]).when(reverse("t1", "r1")).happens(1);
    assert_eq!((book.balance("bank", "USD/2"), book.balance("alice", "USD/2")), (0, 0));
    book.when(reverse("t1", "r2")).rejected("transaction-already-reversed");
    book.when(reverse("r1", "rr1")).happens(1);
}

#[test]
fn a_reversal_obeys_the_limits_like_any_transaction() {
    let book = given(&[pay("t1", "bank", "alice", 100), pay("t2", "alice", "bob", 100)]);
    book.when(reverse("t1", "r1")).rejected("insufficient-funds");
}

#[test]
fn a_reversal_cannot_take_the_id_of_another_transaction() {
    let book = given(&[pay("t1", "bank", "alice", 100), pay("t2", "bank", "alice", 100)]);
    book.when(reverse("t1", "t2")).rejected("transaction-conflict");
    book.when(reverse("nothing", "r1")).rejected("transaction-unknown");
}

#[test]
fn sums_that_cannot_be_counted_are_refused() {
    let wide = [
        open_with("world", AccountKind::Equity, Overdraft::Unlimited),
        pay("t1", "bank", "world", i128::MAX),
    ];
    given(&wide).when(pay("t2", "bank", "world", 1)).rejected("balance-overflow");
    let twice: Vec<_> = (0..2).flat_map(|_| transfer("bank", "alice", "USD/2", i128::MAX)).collect();
    given(&[]).when(post("t3", twice)).rejected("balance-overflow");
}

#[test]
fn the_effective_time_is_the_time_of_recording_unless_it_is_given() {
    let book = given(&[pay("t1", "bank", "alice", 1)]);
    let recount_events::ledger::LedgerEvent::TransactionPosted(posted) = book.events.last().unwrap() else {
        panic!("no transaction");
    };
    assert_eq!(posted.effective_at, crate::support::now());
}
