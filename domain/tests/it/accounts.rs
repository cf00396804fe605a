//! Opening, freezing, closing, overdrafts, assets.

use recount_domain::Command;
use recount_events::ledger::{AccountKind, FreezeScope, Overdraft};

use crate::support::{
    Book, close, freeze, given, limited, open, open_with, pay, reverse, set_overdraft, unfreeze,
};

#[test]
fn a_ledger_is_created_once() {
    let create = || Command::CreateLedger { ledger: "main".to_owned() };
    Book::default().when(create()).happens(1).when(create()).nothing_happens();
}

#[test]
fn an_account_is_opened_once_and_a_repeat_must_say_the_same() {
    let book = given(&[]).when(open("cash", AccountKind::Asset)).happens(1);
    book.when(open("cash", AccountKind::Liability)).rejected("account-conflict");
    book.when(open_with("cash", AccountKind::Asset, Overdraft::Unlimited)).rejected("account-conflict");
}

#[test]
fn an_opening_can_be_repeated_after_the_overdraft_was_changed() {
    let book = given(&[set_overdraft("bank", Overdraft::Unlimited)]);
    book.when(open("bank", AccountKind::Asset)).nothing_happens();
}

#[test]
fn an_asset_is_counted_in_one_scale() {
    let book = given(&[]);
    book.when(Command::RegisterAsset { asset: "USD/2".parse().unwrap() }).nothing_happens();
    book.when(Command::RegisterAsset { asset: "USD/3".parse().unwrap() }).rejected("asset-scale-differs");
}

#[test]
fn a_frozen_side_takes_no_entries_and_the_other_does() {
    let book = given(&[pay("t1", "bank", "alice", 100), freeze("alice", FreezeScope::Debits)]);
    book.when(pay("t2", "alice", "bob", 10)).rejected("account-frozen");
    book.when(pay("t3", "bank", "alice", 10)).happens(1);
}

#[test]
fn freezing_adds_up_and_unfreezing_takes_away() {
    let book = given(&[freeze("alice", FreezeScope::Debits), freeze("alice", FreezeScope::Credits)]);
    book.when(freeze("alice", FreezeScope::Both)).nothing_happens();
    let book = book.when(unfreeze("alice", FreezeScope::Credits)).happens(1);
    book.when(pay("t1", "bank", "alice", 10)).happens(1);
    book.when(freeze("alice", FreezeScope::Both)).happens(1);
}

#[test]
fn unfreezing_what_is_not_frozen_changes_nothing() {
    given(&[]).when(unfreeze("alice", FreezeScope::Both)).nothing_happens();
}

#[test]
fn a_frozen_account_can_be_reversed_only_where_it_is_not_frozen() {
    let book = given(&[pay("t1", "bank", "alice", 100), freeze("alice", FreezeScope::Debits)]);
    book.when(reverse("t1", "r1")).rejected("account-frozen");
}

#[test]
fn an_account_closes_at_zero_in_every_asset() {
    let book = given(&[pay("t1", "bank", "alice", 100)]);
    book.when(close("alice")).rejected("account-not-empty");
    let mut book = book;
    book.run(&pay("t2", "alice", "bob", 100)).unwrap();
    let book = book.when(close("alice")).happens(1);
    book.when(pay("t3", "bank", "alice", 1)).rejected("account-closed");
    book.when(freeze("alice", FreezeScope::Both)).rejected("account-closed");
    book.when(set_overdraft("alice", Overdraft::Unlimited)).rejected("account-closed");
}

#[test]
fn an_overdraft_is_none_limited_in_an_asset_or_unlimited() {
    let book = given(&[]);
    book.when(pay("t1", "alice", "bob", 1)).rejected("insufficient-funds");
    let book = book.when(set_overdraft("alice", limited("USD/2", 50))).happens(1);
    book.when(pay("t1", "alice", "bob", 51)).rejected("insufficient-funds");
    book.when(pay("t1", "alice", "bob", 50)).happens(1);
    let book = book.when(set_overdraft("alice", Overdraft::Unlimited)).happens(1);
    book.when(pay("t1", "alice", "bob", i128::MAX)).happens(1);
}

#[test]
fn an_overdraft_in_an_unknown_asset_rejected() {
    let book = given(&[]);
    book.when(set_overdraft("alice", limited("GBP/2", 50))).rejected("asset-unknown");
    book.when(open_with("carol", AccountKind::Liability, limited("USD/3", 5)))
        .rejected("asset-scale-differs");
}

#[test]
fn what_mends_an_account_below_its_minimum_is_taken() {
    let book = given(&[
        set_overdraft("alice", Overdraft::Unlimited),
        pay("t1", "alice", "bob", 100),
        set_overdraft("alice", Overdraft::None),
    ]);
    book.when(pay("t2", "alice", "bob", 1)).rejected("insufficient-funds");
    let book = book.when(pay("t3", "bank", "alice", 40)).happens(1);
    assert_eq!(book.balance("alice", "USD/2"), -60);
}

#[test]
fn commands_on_an_unknown_account_are_rejected() {
    let book = given(&[]);
    for command in [
        freeze("nobody", FreezeScope::Both),
        unfreeze("nobody", FreezeScope::Both),
        close("nobody"),
        set_overdraft("nobody", Overdraft::None),
    ] {
        book.when(command).rejected("account-unknown");
    }
}
