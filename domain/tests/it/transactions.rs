//! The rules of transactions.

use recount_domain::{Command, ENTRIES_MAX, PostTransaction, States};
use recount_events::ledger::Direction;
use serde_json::json;

use crate::support::*;

#[test]
fn a_transfer_moves_value_between_normal_sides() {
    let book = given(&[]).when(pay("t1", "bank", "alice", 250)).accepted(1);
    assert_eq!((book.posted("bank"), book.posted("alice")), (250, 250));
    let book = book.when(pay("t2", "alice", "shop", 100)).accepted(1);
    assert_eq!((book.posted("alice"), book.posted("shop")), (150, 100));
}

#[test]
fn a_transaction_may_have_many_debits_and_credits_in_several_assets() {
    let mut entries = transfer("bank", "alice", "EUR/2", 7);
    entries.extend([debit("bank", 100), credit("alice", 60), credit("bob", 40)]);
    let book = given(&[]).when(post("t1", entries)).accepted(1);
    assert_eq!((book.posted("bank"), book.posted("alice"), book.posted("bob")), (100, 60, 40));
    assert_eq!(book.figures_in("alice", "EUR/2").posted, 7);
}

#[test]
fn debits_must_equal_credits_in_every_asset() {
    let uneven = vec![debit("bank", 2), credit("alice", 1)];
    let rejection = given(&[]).when(post("t1", uneven)).rejected("unbalanced");
    assert_eq!(
        rejection.to_string(),
        "debits in USD/2 are 2 and credits are 1; they must be equal in every asset"
    );
    let crossed = vec![debit("bank", 1), entry("alice", Direction::Credit, "EUR/2", 1)];
    given(&[]).when(post("t1", crossed)).rejected("unbalanced");
    let one_sided = vec![debit("bank", 1), debit("alice", 1)];
    given(&[]).when(post("t1", one_sided)).rejected("unbalanced");
}

#[test]
fn the_number_of_entries_is_limited() {
    given(&[]).when(post("t1", vec![])).rejected("entries-out-of-bounds");
    let rejection = given(&[]).when(post("t1", vec![debit("bank", 1)])).rejected("entries-out-of-bounds");
    assert_eq!(rejection.to_string(), "a transaction must have 2 to 1000 entries; this one has 1");
    let pairs = |count: usize| (0..count).flat_map(|_| transfer("bank", "alice", "USD/2", 1)).collect();
    given(&[]).when(post("t1", pairs(ENTRIES_MAX / 2))).accepted(1);
    let mut many: Vec<_> = pairs(ENTRIES_MAX / 2);
    many.push(debit("bank", 1));
    given(&[]).when(post("t1", many)).rejected("entries-out-of-bounds");
}

/// A transaction with too many entries is rejected without loading anything.
#[test]
fn a_transaction_with_too_many_entries_loads_none_of_its_accounts() {
    let nothing = |_: &recount_core::Tag| None;
    let pairs = |count: usize| -> Vec<_> {
        (0..count).flat_map(|n| transfer("bank", &format!("users:{n}"), "USD/2", 1)).collect()
    };
    let needed = |command: Command| recount_domain::needs(&command.into(), &States::new(&nothing));
    let names_accounts = |tags: Vec<recount_core::Tag>| tags.iter().any(|tag| tag.parts().0 == "account");
    assert!(names_accounts(needed(post("t1", pairs(ENTRIES_MAX / 2)))));
    assert!(!names_accounts(needed(post("t1", pairs(ENTRIES_MAX / 2 + 1)))));
    assert!(!names_accounts(needed(reverse_entries("t1", "r1", pairs(ENTRIES_MAX)))));
}

#[test]
fn a_transaction_is_recorded_as_sent() {
    let command = PostTransaction {
        transaction: "t1".parse().unwrap(),
        entries: vec![credit("alice", 3), debit("bank", 2), debit("bank", 1)],
        effective_at: Some(moment("2025-06-01T00:00:00Z")),
        reference: Some("order 1".parse().unwrap()),
        metadata: members(json!({"note": "x"})),
    };
    let book = given(&[]).when(Command::PostTransaction(command.clone())).accepted(1);
    let posted = book.last_transaction();
    assert_eq!((&posted.transaction, &posted.entries), (&command.transaction, &command.entries));
    assert_eq!((Some(posted.effective_at), &posted.reference), (command.effective_at, &command.reference));
    assert_eq!((&posted.metadata, &posted.reverses), (&command.metadata, &None));
    assert_eq!(posted.captures, None);
}

#[test]
fn a_repeated_transaction_must_have_the_same_content() {
    let sent = PostTransaction {
        effective_at: Some(moment("2025-06-01T00:00:00Z")),
        reference: Some("order 1".parse().unwrap()),
        metadata: members(json!({"note": "x"})),
        ..posting("t1", transfer("bank", "alice", "USD/2", 5))
    };
    let book = given(&[Command::PostTransaction(sent.clone())]);
    book.when(Command::PostTransaction(sent.clone())).has_no_effect();
    let differs = |field: &str, change: fn(&mut PostTransaction)| {
        let command = Command::PostTransaction(with(sent.clone(), change));
        let rejection = book.when(command).rejected("transaction-conflict");
        assert_eq!(
            rejection.to_string(),
            format!("transaction `t1` already exists with a different `{field}`")
        );
    };
    differs("entries", |post| post.entries = transfer("bank", "alice", "USD/2", 6));
    differs("entries", |post| post.entries.reverse());
    differs("effective_at", |post| post.effective_at = Some(moment("2025-06-01T00:00:00.000001Z")));
    differs("reference", |post| post.reference = None);
    differs("reference", |post| post.reference = Some("order 2".parse().unwrap()));
    differs("metadata", |post| post.metadata = members(json!({"note": "y"})));
}

#[test]
fn a_repeat_without_an_effective_time_matches_any() {
    let book = given(&[pay("t1", "bank", "alice", 5)]).at("2026-03-01T00:00:00Z");
    book.when(pay("t1", "bank", "alice", 5)).has_no_effect();
    let dated = |time: &str| {
        let entries = transfer("bank", "alice", "USD/2", 5);
        let effective_at = Some(moment(time));
        Command::PostTransaction(PostTransaction { effective_at, ..posting("t1", entries) })
    };
    book.when(dated("2026-01-01T12:00:00Z")).has_no_effect();
    book.when(dated("2026-03-01T00:00:00Z")).rejected("transaction-conflict");
}

#[test]
fn a_posting_does_not_repeat_a_reversal_or_capture_with_the_same_entries() {
    let book = given(&[
        pay("t1", "bank", "alice", 5),
        reverse("t1", "r1"),
        pay("t2", "bank", "alice", 5),
        hold("h1", "alice", "shop", 5),
        capture("h1", "c1"),
    ]);
    let rejection = book.when(pay("r1", "alice", "bank", 5)).rejected("transaction-conflict");
    assert_eq!(detail(&rejection, "field"), "reverses");
    let rejection = book.when(pay("c1", "alice", "shop", 5)).rejected("transaction-conflict");
    assert_eq!(detail(&rejection, "field"), "captures");
}

#[test]
fn a_repeat_is_accepted_even_if_the_transaction_could_no_longer_be_posted() {
    let book = given(&[
        pay("t1", "bank", "alice", 5),
        refer("t2", "order 1"),
        pay("t3", "alice", "bob", 6),
        close("alice"),
    ]);
    book.when(pay("t1", "bank", "alice", 5)).has_no_effect();
    book.when(refer("t2", "order 1")).has_no_effect();
    book.when(pay("t3", "alice", "bob", 6)).has_no_effect();
}

#[test]
fn a_repeat_is_compared_with_the_original_metadata() {
    let note = set_metadata(of_transaction("t1"), json!({"note": "x"}));
    let book = given(&[pay("t1", "bank", "alice", 5), note]);
    book.when(pay("t1", "bank", "alice", 5)).has_no_effect();
    let noted = PostTransaction {
        metadata: members(json!({"note": "x"})),
        ..posting("t1", transfer("bank", "alice", "USD/2", 5))
    };
    book.when(Command::PostTransaction(noted)).rejected("transaction-conflict");
}

#[test]
fn a_reference_belongs_to_one_transaction() {
    let book = given(&[refer("t1", "order 1")]);
    book.when(refer("t1", "order 1")).has_no_effect();
    let rejection = book.when(refer("t2", "order 1")).rejected("reference-taken");
    assert_eq!(rejection.to_string(), "reference `order 1` belongs to transaction `t1`");
    book.when(refer("t2", "order 2")).accepted(1);
    let reversal = with(reversing("t1", "r1", recount_domain::ReversedPart::Whole), |reverse| {
        reverse.reference = Some("order 1".parse().unwrap());
    });
    book.when(Command::ReverseTransaction(reversal)).rejected("reference-taken");
    let book = book.and(hold("h1", "alice", "shop", 1));
    let captured =
        with(capturing("h1", "c1"), |capture| capture.reference = Some("order 1".parse().unwrap()));
    book.when(Command::Capture(captured)).rejected("reference-taken");
}

#[test]
fn the_assets_of_a_transaction_must_be_registered() {
    let book = given(&[]);
    book.when(post("t1", transfer("bank", "alice", "GBP/2", 1))).rejected("asset-unknown");
    book.when(post("t1", transfer("bank", "alice", "USD/3", 1))).rejected("asset-scale-differs");
    let later = [transfer("bank", "alice", "USD/2", 1), transfer("bank", "alice", "GBP/2", 1)].concat();
    book.when(post("t1", later)).rejected("asset-unknown");
}

#[test]
fn the_assets_of_a_transaction_may_be_in_any_order() {
    let alternating = |other: &str| {
        vec![
            debit("bank", 1),
            entry("bank", Direction::Debit, other, 1),
            credit("alice", 1),
            entry("alice", Direction::Credit, other, 1),
        ]
    };
    given(&[]).when(post("t1", alternating("EUR/2"))).accepted(1);
    given(&[]).when(post("t1", alternating("GBP/2"))).rejected("asset-unknown");
}

#[test]
fn only_reversals_and_captures_need_more_when_loaded() {
    let depends = |command: Command| recount_domain::needs_more_when_loaded(&command.into());
    assert!(depends(reverse("t1", "r1")) && depends(capture("h1", "c1")));
    assert!(!depends(pay("t1", "bank", "alice", 1)) && !depends(hold("h1", "bank", "alice", 1)));
    assert!(!depends(release("h1")) && !depends(close("alice")));
}

#[test]
fn the_effective_time_defaults_to_the_time_of_recording() {
    let book = given(&[]).at("2026-02-03T04:05:06.000007Z").and(pay("t1", "bank", "alice", 1));
    assert_eq!(book.last_transaction().effective_at, moment("2026-02-03T04:05:06.000007Z"));
    let book = book.and(pay_at("t2", "2024-01-01T00:00:00Z"));
    assert_eq!(book.last_transaction().effective_at, moment("2024-01-01T00:00:00Z"));
}

#[test]
fn an_account_can_transfer_to_itself() {
    let book = given(&[pay("t1", "bank", "alice", 5)]).when(pay("t2", "alice", "alice", 9)).accepted(1);
    assert_eq!(book.figures("alice"), [5, 0, 0, 5]);
}
