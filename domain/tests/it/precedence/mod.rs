//! The precedence of rejections: a row for each code, and a row for each two neighbouring codes that one command can get
//! together. Every row also checks that the rejected command changed nothing, see [`Then::rejected`].
//!
//! [`Then::rejected`]: crate::support::Then::rejected

mod book;
mod rows;

use std::collections::BTreeSet;

use recount_domain::{
    CaptureHold, Command, Comparison, Expectation, Figure, METADATA_BYTES_MAX, OpenAccount, PlaceHold,
    PostTransaction, RejectionCode, Request, ReverseTransaction, ReversedPart,
};
use recount_events::ledger::{AccountKind, Entry, FreezeScope, Overdraft};
use serde_json::json;

use crate::support::*;

use book::*;
use rows::*;

/// A command with this one fault.
struct Alone(&'static str, Book, Request);

/// The messages of the rows, in the order of precedence.
const SENTENCES: &[&str] = &[
    "the ledger has not been created",
    "account `bank` already exists with a different `kind`",
    "customer `known` already exists with a different `profile`",
    "hold `open` already exists with a different `amount`",
    "transaction `paid` already exists with a different `entries`",
    "customer `nobody` does not exist in this ledger",
    "customer `forgotten` was forgotten",
    "transaction `nothing` does not exist in this ledger",
    "transaction `many-reversed` has already been reversed, most recently by `reversal`",
    "transaction `many` has 3 entries, so an amount does not say which of them to reverse",
    "the reversal has a debit of 51 USD/2 on account `alice`, but only 50 of transaction `paid` is still reversible there",
    "hold `nothing` does not exist in this ledger",
    "hold `due` expired at 2026-01-01T12:30:00Z",
    "hold `used` is closed: it was captured",
    "hold `open` has not reached its deadline",
    "hold `open` has 10 remaining, which is less than 11",
    "hold `new` would expire at 2026-01-01T13:00:00Z, and the current time is 2026-01-01T13:00:00Z",
    "reference `taken` belongs to transaction `referred`",
    "a transaction must have 2 to 1000 entries; this one has 0",
    "debits in USD/2 are 2 and credits are 1; they must be equal in every asset",
    "effective time 2025-10-02T23:59:59Z is too early: this ledger accepts effective times from 2025-10-03T00:00:00Z",
    "effective time 2026-01-03T00:00:00Z is too late: this ledger accepts effective times before 2026-01-03T00:00:00Z",
    "effective time 2025-11-15T00:00:00Z lies in a closed period: the books are closed through 2025-12-01T00:00:00Z",
    "the period through 2026-01-01T13:00:00Z has not ended: the current time is 2026-01-01T13:00:00Z",
    "asset `GBP/2` is not registered in this ledger",
    "asset `USD` is registered as `USD/2`, not as `USD/3`",
    "no rule of the chart of accounts allows account `cash`",
    "the chart's rule `wallets:*` gives account `wallets:al` the kind liability, not asset",
    "neither the command nor a chart of accounts gives the kind of account `cash`",
    "account `nobody` does not exist in this ledger",
    "account `closed` is closed",
    "account `frozen` is frozen for credits",
    "account `dollars` may not hold EUR/2; it may hold USD/2",
    "account `bob` is not empty: its balance in USD/2 is 2",
    "account `dollars` has open holds in USD/2: 0 held and 1 incoming",
    "the metadata of account:alice would have 8200 bytes of JSON; the limit is 8192",
    "the balance of account `vast` in USD/2, or the sum of the amounts that change it, would exceed 127 bits",
    "account `alice` would have -969 available in USD/2; it has 31, and its minimum is 0",
    "account `full` would have 6 posted and incoming in USD/2; its maximum is 5",
    "the posted balance of account `alice` in USD/2 is 51, but was expected to be equal to 12345",
];

/// A command with these two faults, and one with only the second.
struct Pair(&'static str, &'static str, Book, Request, Book, Request);

impl Pair {
    /// A pair whose commands are sent to the same book.
    fn of(first: &'static str, second: &'static str, book: Book, both: Request, only: Request) -> Pair {
        Pair(first, second, book.clone(), both, book, only)
    }
}

#[test]
fn every_code_has_a_command_that_is_rejected_with_it() {
    let rows: Vec<Alone> = alone_of_entities().into_iter().chain(alone_of_rules()).collect();
    let seen: Vec<&str> = rows.iter().map(|row| row.0).collect();
    let all: Vec<&str> = RejectionCode::ALL.iter().map(|code| code.code).collect();
    assert_eq!(seen, all, "a row for each code, in the order of precedence");
    assert_eq!(seen.len(), SENTENCES.len());
    for (Alone(code, book, request), sentence) in rows.into_iter().zip(SENTENCES) {
        assert_eq!(book.when(request).rejected(code).to_string(), *sentence);
    }
}

#[test]
fn of_two_rejections_the_first_in_the_precedence_is_given() {
    for Pair(first, second, book, both, book_of_second, only_second) in pairs() {
        book.when(both).rejected(first);
        book_of_second.when(only_second).rejected(second);
    }
}

#[test]
fn of_two_rejections_with_one_code_the_first_of_the_command_is_given() {
    let two = new([moved("bank", "nobody", "USD/2"), moved("bank", "no-one", "USD/2")].concat());
    assert_eq!(detail(&book().when(two).rejected("account-unknown"), "account"), "nobody");
    let both = expectation(new(moved("bank", "nobody", "USD/2")), "no-one", "USD/2");
    assert_eq!(detail(&book().when(both).rejected("account-unknown"), "account"), "nobody");
    let unmet = unmet(expectation(new(moved("bank", "bob", "USD/2")), "bob", "USD/2"));
    assert_eq!(detail(&book().when(unmet).rejected("expectation-failed"), "account"), "bob");
}

#[test]
fn every_two_neighbouring_codes_have_a_pair_or_a_reason_why_not() {
    let place = |code: &str| RejectionCode::ALL.iter().position(|other| other.code == code).unwrap();
    let rows: BTreeSet<(usize, usize)> = pairs().iter().map(|row| (place(row.0), place(row.1))).collect();
    assert!(rows.iter().all(|(first, second)| first < second));
    let apart: BTreeSet<(usize, usize)> =
        APART.iter().map(|(first, second, _)| (place(first), place(second))).collect();
    for second in 1..RejectionCode::ALL.len() {
        let neighbours = (second - 1, second);
        assert!(
            rows.contains(&neighbours) != apart.contains(&neighbours),
            "`{}` and `{}` have either a pair or a reason why not",
            RejectionCode::ALL[second - 1].code,
            RejectionCode::ALL[second].code
        );
    }
    assert!(apart.iter().all(|(first, second)| first + 1 == *second), "only neighbours are listed");
    // A code without a pair with its neighbour has a pair with the next code that can occur with it.
    for (first, code) in RejectionCode::ALL.iter().enumerate().take(RejectionCode::ALL.len() - 1) {
        assert!(rows.iter().any(|row| row.0 == first), "`{}` has no pair", code.code);
    }
}

#[test]
fn codes_are_unique_and_have_a_title_a_meaning_and_advice() {
    let codes: BTreeSet<&str> = RejectionCode::ALL.iter().map(|code| code.code).collect();
    assert_eq!(codes.len(), RejectionCode::ALL.len());
    for code in RejectionCode::ALL {
        assert!(code.code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{}", code.code);
        assert!(code.title.starts_with(char::is_uppercase) && !code.title.ends_with('.'), "{}", code.code);
        assert!(code.advice.ends_with('.') && code.meaning.ends_with('.'), "{}", code.code);
    }
}

/// A conflict means that the command collides with existing state; other rejections mean that it breaks a rule.
#[test]
fn conflicts_are_those_with_existing_state() {
    let conflicts: Vec<&str> =
        RejectionCode::ALL.iter().filter(|code| code.conflict).map(|code| code.code).collect();
    assert_eq!(
        conflicts,
        [
            "account-conflict",
            "customer-conflict",
            "hold-conflict",
            "transaction-conflict",
            "transaction-already-reversed",
            "hold-expired",
            "hold-closed",
            "reference-taken",
            "asset-scale-differs",
            "expectation-failed",
        ]
    );
}

#[test]
fn every_command_on_an_unknown_ledger_is_rejected() {
    for command in [
        register_asset("USD/2"),
        set_window(None, None),
        close_period("2025-01-01T00:00:00Z"),
        reopen_period("2025-01-01T00:00:00Z"),
        set_chart(&[]),
        Command::RemoveChart,
        open("bank", AccountKind::Asset),
        freeze("bank", FreezeScope::Both),
        unfreeze("bank", FreezeScope::Both),
        close("bank"),
        set_overdraft("bank", Overdraft::None),
        set_limits("bank", &[]),
        pay("t1", "bank", "alice", 1),
        reverse("t1", "r1"),
        hold("h1", "bank", "alice", 1),
        capture("h1", "c1"),
        release("h1"),
        expire("h1"),
        set_metadata(of_account("bank"), json!({})),
        remove_metadata(of_account("bank"), &[]),
        register("c1", "Alice"),
        update("c1", "Alice"),
        link("c1", "bank"),
        unlink("c1", "bank"),
        forget("c1"),
    ] {
        Book::nowhere().when(command).rejected("ledger-unknown");
    }
}
