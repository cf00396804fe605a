//! Reversals: in full or in part, and no part twice.

use recount_domain::{Command, ENTRIES_MAX, ReversalTime, ReverseTransaction, ReversedPart};
use recount_events::ledger::{AccountKind, Direction, Overdraft};
use serde_json::json;

use crate::support::*;

/// The bank pays Alice 100.
fn paid() -> Book {
    given(&[pay("t1", "bank", "alice", 100)])
}

/// A payroll: the bank pays Alice 60 in two parts and Bob 40.
fn payroll() -> Book {
    let entries = vec![debit("bank", 100), credit("alice", 35), credit("bob", 40), credit("alice", 25)];
    given(&[post("t1", entries)])
}

#[test]
fn a_reversal_restores_every_balance_and_can_be_repeated() {
    let book = paid().when(reverse("t1", "r1")).accepted(1);
    assert_eq!((book.posted("bank"), book.posted("alice")), (0, 0));
    assert_eq!(book.last_transaction().reverses, Some("t1".parse().unwrap()));
    assert_eq!(book.last_transaction().entries, vec![credit("bank", 100), debit("alice", 100)]);
    let rejection = book.when(reverse("t1", "r2")).rejected("transaction-already-reversed");
    assert_eq!(rejection.to_string(), "transaction `t1` has already been reversed, most recently by `r1`");
}

#[test]
fn a_reversal_can_be_reversed() {
    let book = paid().and(reverse("t1", "r1")).when(reverse("r1", "rr1")).accepted(1);
    assert_eq!((book.posted("bank"), book.posted("alice")), (100, 100));
    // The original transaction stays reversed.
    book.when(reverse("t1", "r2")).rejected("transaction-already-reversed");
    book.when(reverse("rr1", "r2")).accepted(1);
}

#[test]
fn a_reversal_obeys_the_limits_like_any_transaction() {
    let book = paid().and(pay("t2", "alice", "bob", 100));
    book.when(reverse("t1", "r1")).rejected("insufficient-funds");
    let book = paid().and(pay("t2", "alice", "bob", 30)).and(hold("h1", "alice", "shop", 10));
    book.when(reverse_amount("t1", "r1", 61)).rejected("insufficient-funds");
    book.when(reverse_amount("t1", "r1", 60)).accepted(1);
}

#[test]
fn a_reversal_cannot_use_the_id_of_another_transaction() {
    let book = paid().and(pay("t2", "bank", "alice", 100));
    book.when(reverse("t1", "t2")).rejected("transaction-conflict");
    book.when(reverse("t1", "t1")).rejected("transaction-conflict");
    let rejection = book.when(reverse("nothing", "t2")).rejected("transaction-conflict");
    assert_eq!(detail(&rejection, "field"), "transaction");
    book.when(reverse("nothing", "r1")).rejected("transaction-unknown");
    book.when(reverse("nothing", "nothing")).rejected("transaction-unknown");
}

#[test]
fn a_reversal_is_recorded_as_sent() {
    let command = ReverseTransaction {
        effective_at: ReversalTime::At(moment("2025-12-31T00:00:00Z")),
        reference: Some("refund 1".parse().unwrap()),
        metadata: members(json!({"reason": "damaged"})),
        ..reversing("t1", "r1", ReversedPart::Whole)
    };
    let book = paid().when(Command::ReverseTransaction(command.clone())).accepted(1);
    let posted = book.last_transaction();
    assert_eq!((&posted.transaction, &posted.reverses), (&command.reversal, &Some(command.transaction)));
    assert_eq!(posted.effective_at, moment("2025-12-31T00:00:00Z"));
    assert_eq!((&posted.reference, &posted.metadata), (&command.reference, &command.metadata));
}

#[test]
fn a_repeated_reversal_must_have_the_same_content() {
    let sent = ReverseTransaction {
        effective_at: ReversalTime::At(moment("2025-12-31T00:00:00Z")),
        reference: Some("refund 1".parse().unwrap()),
        metadata: members(json!({"reason": "damaged"})),
        ..reversing("t1", "r1", ReversedPart::Amount(amount(10)))
    };
    let book = paid().and(pay("t2", "bank", "alice", 1)).and(Command::ReverseTransaction(sent.clone()));
    let differs = |field: &str, change: fn(&mut ReverseTransaction)| {
        let command = Command::ReverseTransaction(with(sent.clone(), change));
        let rejection = book.when(command).rejected("transaction-conflict");
        assert_eq!(detail(&rejection, "field"), field);
    };
    differs("transaction", |reverse| reverse.transaction = "t2".parse().unwrap());
    differs("transaction", |reverse| reverse.transaction = "nothing".parse().unwrap());
    differs("amount", |reverse| reverse.part = ReversedPart::Whole);
    differs("amount", |reverse| reverse.part = ReversedPart::Amount(amount(11)));
    differs("entries", |reverse| reverse.part = ReversedPart::Entries(vec![]));
    differs("effective_at", |reverse| reverse.effective_at = ReversalTime::Original);
    differs("reference", |reverse| reverse.reference = None);
    differs("metadata", |reverse| reverse.metadata = members(json!({})));
}

#[test]
fn a_repeated_reversal_may_express_the_same_part_differently() {
    let book = paid().and(reverse_amount("t1", "r1", 100));
    book.when(reverse("t1", "r1")).has_no_effect();
    book.when(reverse_entries("t1", "r1", vec![credit("bank", 100), debit("alice", 100)])).has_no_effect();
    let at = |effective_at| {
        let reverse = reversing("t1", "r1", ReversedPart::Whole);
        Command::ReverseTransaction(ReverseTransaction { effective_at, ..reverse })
    };
    book.when(at(ReversalTime::At(now()))).has_no_effect();
    book.when(at(ReversalTime::Original)).has_no_effect();
}

#[test]
fn an_amount_does_not_repeat_a_reversal_of_many_entries() {
    let book = payroll().and(reverse("t1", "r1"));
    let rejection = book.when(reverse_amount("t1", "r1", 5)).rejected("transaction-conflict");
    assert_eq!(detail(&rejection, "field"), "amount");
}

#[test]
fn a_whole_and_a_partial_reversal_of_many_entries_differ_in_entries() {
    let part = vec![debit("bob", 10), credit("bank", 10)];
    let book = payroll().and(reverse_entries("t1", "r1", part));
    let rejection = book.when(reverse("t1", "r1")).rejected("transaction-conflict");
    assert_eq!(detail(&rejection, "field"), "entries");
}

#[test]
fn a_reversal_can_be_repeated_after_later_reversals() {
    let book = paid().and(reverse_amount("t1", "r1", 10)).and(reverse_amount("t1", "r2", 90));
    book.when(reverse_amount("t1", "r1", 10)).has_no_effect();
    book.when(reverse_amount("t1", "r2", 90)).has_no_effect();
}

#[test]
fn a_transfer_can_be_reversed_in_parts_until_nothing_remains() {
    let book = paid();
    book.when(reverse_amount("t1", "r1", 101)).rejected("reversal-exceeded");
    let book = book.when(reverse_amount("t1", "r1", 30)).accepted(1);
    assert_eq!((book.posted("bank"), book.posted("alice")), (70, 70));
    assert_eq!(book.last_transaction().entries, vec![credit("bank", 30), debit("alice", 30)]);
    let rejection = book.when(reverse_amount("t1", "r2", 71)).rejected("reversal-exceeded");
    assert_eq!((detail(&rejection, "amount"), detail(&rejection, "remaining")), ("71".into(), "70".into()));
    let book = book.when(reverse_amount("t1", "r2", 70)).accepted(1);
    assert_eq!((book.posted("bank"), book.posted("alice")), (0, 0));
    let rejection = book.when(reverse_amount("t1", "r3", 1)).rejected("transaction-already-reversed");
    assert_eq!(detail(&rejection, "reversed_by"), "r2");
}

#[test]
fn the_whole_cannot_be_reversed_after_a_part() {
    let book = paid().and(reverse_amount("t1", "r1", 30));
    let rejection = book.when(reverse("t1", "r2")).rejected("transaction-already-reversed");
    assert_eq!(detail(&rejection, "reversed_by"), "r1");
}

#[test]
fn no_part_can_be_reversed_after_the_whole() {
    let book = payroll().and(reverse("t1", "r1"));
    let part = vec![credit("bank", 1), debit("bob", 1)];
    book.when(reverse_entries("t1", "r2", part)).rejected("transaction-already-reversed");
    book.when(reverse_entries("t1", "r2", vec![])).rejected("transaction-already-reversed");
    book.when(reverse_amount("t1", "r2", 1)).rejected("transaction-already-reversed");
}

#[test]
fn an_amount_is_ambiguous_for_many_entries() {
    let rejection = payroll().when(reverse_amount("t1", "r1", 10)).rejected("reversal-ambiguous");
    assert_eq!(
        rejection.to_string(),
        "transaction `t1` has 4 entries, so an amount does not say which of them to reverse"
    );
}

#[test]
fn entries_on_the_same_side_of_an_account_are_summed() {
    let book = payroll();
    let part =
        |alice: i128, bob: i128| vec![credit("bank", alice + bob), debit("alice", alice), debit("bob", bob)];
    let rejection = book.when(reverse_entries("t1", "r1", part(61, 1))).rejected("reversal-exceeded");
    assert_eq!(
        rejection.to_string(),
        "the reversal has a debit of 61 USD/2 on account `alice`, but only 60 of transaction `t1` is still reversible there"
    );
    let book = book.when(reverse_entries("t1", "r1", part(50, 1))).accepted(1);
    assert_eq!((book.posted("bank"), book.posted("alice"), book.posted("bob")), (49, 10, 39));
    book.when(reverse_entries("t1", "r2", part(11, 1))).rejected("reversal-exceeded");
    // Entries of one leg may be split.
    let apart =
        |last| vec![credit("bank", 8 + last), debit("alice", 4), debit("alice", 4), debit("alice", last)];
    let rejection = book.when(reverse_entries("t1", "r2", apart(3))).rejected("reversal-exceeded");
    assert_eq!((detail(&rejection, "amount"), detail(&rejection, "remaining")), ("11".into(), "10".into()));
    let book = book.when(reverse_entries("t1", "r2", apart(2))).accepted(1);
    assert_eq!((book.posted("bank"), book.posted("alice"), book.posted("bob")), (39, 0, 39));
    let book = book.when(reverse_entries("t1", "r3", vec![credit("bank", 39), debit("bob", 39)])).accepted(1);
    book.when(reverse_entries("t1", "r4", vec![])).rejected("transaction-already-reversed");
}

#[test]
fn entries_cannot_reverse_what_the_transaction_does_not_contain() {
    let book = payroll();
    for (entries, account, direction, asset) in [
        (vec![credit("bank", 1), debit("shop", 1)], "shop", "debit", "USD/2"),
        (vec![debit("bank", 1), debit("alice", 1)], "bank", "debit", "USD/2"),
        (vec![credit("bank", 1), credit("alice", 1)], "alice", "credit", "USD/2"),
        (transfer("alice", "bank", "EUR/2", 1), "alice", "debit", "EUR/2"),
    ] {
        let rejection = book.when(reverse_entries("t1", "r1", entries)).rejected("reversal-exceeded");
        let named = ["account", "direction", "asset", "remaining"].map(|name| detail(&rejection, name));
        assert_eq!(named, [account, direction, asset, "0"]);
    }
}

#[test]
fn a_partial_reversal_follows_the_rules_of_transactions() {
    let book = payroll();
    book.when(reverse_entries("t1", "r1", vec![])).rejected("entries-out-of-bounds");
    book.when(reverse_entries("t1", "r1", vec![credit("bank", 1)])).rejected("entries-out-of-bounds");
    let uneven = vec![credit("bank", 2), debit("bob", 1)];
    book.when(reverse_entries("t1", "r1", uneven)).rejected("unbalanced");
    let book = given(&[pay("t1", "bank", "alice", i128::from(u32::MAX))]);
    let pairs = |count: usize| (0..count).flat_map(|_| transfer("alice", "bank", "USD/2", 1)).collect();
    book.when(reverse_entries("t1", "r1", pairs(ENTRIES_MAX / 2))).accepted(1);
    book.when(reverse_entries("t1", "r1", pairs(ENTRIES_MAX / 2 + 1))).rejected("entries-out-of-bounds");
}

#[test]
fn debits_and_credits_of_an_account_are_reversed_separately() {
    let book = paid().and(pay("t2", "alice", "alice", 9));
    let part =
        |debit_amount, credit_amount| vec![debit("alice", debit_amount), credit("alice", credit_amount)];
    book.when(reverse_entries("t2", "r1", part(10, 9))).rejected("reversal-exceeded");
    let book = book.when(reverse_entries("t2", "r1", part(4, 4))).accepted(1);
    book.when(reverse_amount("t2", "r2", 6)).rejected("reversal-exceeded");
    book.when(reverse_amount("t2", "r2", 5)).accepted(1);
}

/// A sum that overflows exceeds every reversible amount.
#[test]
fn entries_that_overflow_exceed_the_reversible_amount() {
    let book = given(&[
        open_with("world", AccountKind::Equity, Overdraft::Unlimited),
        pay("t1", "bank", "world", i128::MAX),
    ]);
    for amounts in [&[i128::MAX, 1][..], &[i128::MAX; 2], &[i128::MAX; 3], &[i128::MAX; 4]] {
        let entries = amounts.iter().flat_map(|amount| transfer("world", "bank", "USD/2", *amount));
        book.when(reverse_entries("t1", "r1", entries.collect())).rejected("reversal-exceeded");
    }
    book.when(reverse_amount("t1", "r1", i128::MAX)).accepted(1);
}

#[test]
fn a_reversal_takes_effect_now_at_the_original_time_or_at_a_given_time() {
    let book = given(&[pay_at("t1", "2025-06-01T00:00:00Z")]).at("2026-02-01T00:00:00Z");
    for (effective_at, expected) in [
        (ReversalTime::Now, "2026-02-01T00:00:00Z"),
        (ReversalTime::Original, "2025-06-01T00:00:00Z"),
        (ReversalTime::At(moment("2025-07-01T00:00:00Z")), "2025-07-01T00:00:00Z"),
    ] {
        let reverse = reversing("t1", "r1", ReversedPart::Whole);
        let command = Command::ReverseTransaction(ReverseTransaction { effective_at, ..reverse });
        let book = book.when(command.clone()).accepted(1);
        assert_eq!(book.last_transaction().effective_at, moment(expected));
        book.at("2026-03-01T00:00:00Z").when(command).has_no_effect();
    }
}

#[test]
fn a_reversal_at_the_original_time_needs_an_open_period() {
    let book = given(&[pay_at("t1", "2025-06-01T00:00:00Z"), close_period("2025-06-30T23:59:59.999999Z")]);
    let at_original = ReverseTransaction {
        effective_at: ReversalTime::Original,
        ..reversing("t1", "r1", ReversedPart::Whole)
    };
    let rejection = book.when(Command::ReverseTransaction(at_original.clone())).rejected("period-closed");
    assert_eq!(detail(&rejection, "effective_at"), "2025-06-01T00:00:00Z");
    book.when(reverse("t1", "r1")).accepted(1);
    book.and(reopen_period("2025-06-01T00:00:00Z"))
        .when(Command::ReverseTransaction(at_original))
        .accepted(1);
}

#[test]
fn a_reversal_at_the_original_time_must_be_in_the_window() {
    let book = given(&[pay_at("t1", "2025-06-01T00:00:00Z"), set_window(Some(30), None)]);
    let at_original = ReverseTransaction {
        effective_at: ReversalTime::Original,
        ..reversing("t1", "r1", ReversedPart::Whole)
    };
    book.when(Command::ReverseTransaction(at_original)).rejected("effective-too-early");
}

#[test]
fn a_transaction_in_several_assets_is_reversed_in_each() {
    let swap = [transfer("bank", "alice", "USD/2", 10), transfer("bank", "alice", "EUR/2", 7)].concat();
    let book = given(&[post("t1", swap)]);
    let euros = transfer("alice", "bank", "EUR/2", 7);
    let book = book.when(reverse_entries("t1", "r1", euros.clone())).accepted(1);
    assert_eq!((book.posted("alice"), book.figures_in("alice", "EUR/2").posted), (10, 0));
    book.when(reverse_entries("t1", "r2", euros)).rejected("reversal-exceeded");
    book.when(reverse_entries("t1", "r2", transfer("alice", "bank", "USD/2", 10))).accepted(1);
}

#[test]
fn the_accounts_and_assets_of_a_reversal_must_exist() {
    let book = payroll();
    let entries = vec![entry("bank", Direction::Credit, "GBP/2", 1), debit("nobody", 1)];
    // An account outside the original transaction cannot be part of a reversal, whether it exists or not.
    book.when(reverse_entries("t1", "r1", entries)).rejected("reversal-exceeded");
    let book = paid().and(pay("t2", "alice", "bob", 100)).and(close("alice"));
    book.when(reverse_amount("t1", "r1", 1)).rejected("account-closed");
}
