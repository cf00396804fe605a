//! The precedence of rejections: a row for each code, and a row for each two neighbours of the precedence that one
//! command can run into. Every row proves that nothing was changed, see [`Then::rejected`].
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

/// What the rows say, in the order of precedence.
const SENTENCES: &[&str] = &[
    "the ledger has not been created",
    "account `bank` exists already, and differs in `kind`",
    "customer `known` exists already, and differs in `profile`",
    "hold `open` exists already, and differs in `amount`",
    "transaction `paid` exists already, and differs in `entries`",
    "customer `nobody` does not exist in this ledger",
    "customer `forgotten` was forgotten",
    "transaction `nothing` does not exist in this ledger",
    "transaction `many-reversed` was reversed already, at last by `reversal`",
    "transaction `many` has 3 entries, so an amount does not say which to take back",
    "the reversal has a debit of 51 USD/2 on `alice`, and of transaction `paid` 50 can still be taken back so",
    "hold `nothing` does not exist in this ledger",
    "hold `due` expired at 2026-01-01T12:30:00Z",
    "hold `used` is closed: it was captured",
    "hold `open` has not reached its deadline",
    "hold `open` has 10 left, which is less than 11",
    "hold `new` would expire at 2026-01-01T13:00:00Z, and now it is 2026-01-01T13:00:00Z",
    "reference `taken` belongs to transaction `referred`",
    "a transaction has from 2 to 1000 entries; this one has 0",
    "the debits in USD/2 are 2 and the credits 1; they must be equal in every asset",
    "2025-10-02T23:59:59Z is too early: this ledger takes effective times from 2025-10-03T00:00:00Z on",
    "2026-01-03T00:00:00Z is too late: this ledger takes effective times before 2026-01-03T00:00:00Z",
    "2025-11-15T00:00:00Z lies in a closed period: the books are closed through 2025-12-01T00:00:00Z",
    "a period through 2026-01-01T13:00:00Z is not over: now it is 2026-01-01T13:00:00Z",
    "asset `GBP/2` is not registered in this ledger",
    "the ledger counts `USD` as `USD/2`, not as `USD/3`",
    "the chart has no rule that allows an account `cash`",
    "the chart's rule `wallets:*` makes `wallets:al` an account of kind liability, not asset",
    "nothing says of which kind account `cash` shall be",
    "account `nobody` does not exist in this ledger",
    "account `closed` is closed",
    "account `frozen` is frozen for credits",
    "account `dollars` may not hold EUR/2; it may hold USD/2",
    "account `bob` is not empty: its balance in USD/2 is 2",
    "holds are open on account `dollars`: in USD/2 0 is held and 1 is incoming",
    "the metadata of account:alice would take 8200 bytes of JSON, and may take 8192",
    "the balance of account `vast` in USD/2 would go beyond what can be counted, or what moves it would",
    "account `alice` would have -969 available in USD/2; it has 31, and may go down to 0",
    "account `full` would come to 6 in USD/2, with what is incoming; it may come to 5",
    "the posted balance of account `alice` in USD/2 is 51, and was expected to be equal to 12345",
];

/// A command with these two faults, and one that has only the second of them.
struct Pair(&'static str, &'static str, Book, Request, Book, Request);

impl Pair {
    /// Both commands are sent to the same book.
    fn of(first: &'static str, second: &'static str, book: Book, both: Request, only: Request) -> Pair {
        Pair(first, second, book.clone(), both, book, only)
    }
}

#[test]
fn every_code_has_a_command_that_gets_it_and_says_why() {
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
fn of_two_faults_the_first_in_the_precedence_is_named() {
    for Pair(first, second, book, both, book_of_second, only_second) in pairs() {
        book.when(both).rejected(first);
        book_of_second.when(only_second).rejected(second);
    }
}

#[test]
fn of_two_faults_with_one_code_the_first_is_named_and_the_commands_before_the_expectations() {
    let two = new([moved("bank", "nobody", "USD/2"), moved("bank", "no-one", "USD/2")].concat());
    assert_eq!(detail(&book().when(two).rejected("account-unknown"), "account"), "nobody");
    let both = expectation(new(moved("bank", "nobody", "USD/2")), "no-one", "USD/2");
    assert_eq!(detail(&book().when(both).rejected("account-unknown"), "account"), "nobody");
    let unmet = unmet(expectation(new(moved("bank", "bob", "USD/2")), "bob", "USD/2"));
    assert_eq!(detail(&book().when(unmet).rejected("expectation-failed"), "account"), "bob");
}

#[test]
fn the_pairs_are_all_that_there_can_be_of_neighbours() {
    let place = |code: &str| RejectionCode::ALL.iter().position(|other| other.code == code).unwrap();
    let rows: BTreeSet<(usize, usize)> = pairs().iter().map(|row| (place(row.0), place(row.1))).collect();
    assert!(rows.iter().all(|(first, second)| first < second));
    let apart: BTreeSet<(usize, usize)> =
        APART.iter().map(|(first, second, _)| (place(first), place(second))).collect();
    for second in 1..RejectionCode::ALL.len() {
        let neighbours = (second - 1, second);
        assert!(
            rows.contains(&neighbours) != apart.contains(&neighbours),
            "`{}` and `{}` have a row or a reason why not",
            RejectionCode::ALL[second - 1].code,
            RejectionCode::ALL[second].code
        );
    }
    assert!(apart.iter().all(|(first, second)| first + 1 == *second), "they are neighbours");
    // A code whose neighbour cannot come with it is told from the next that can.
    for (first, code) in RejectionCode::ALL.iter().enumerate().take(RejectionCode::ALL.len() - 1) {
        assert!(rows.iter().any(|row| row.0 == first), "`{}` comes before nothing", code.code);
    }
}

#[test]
fn codes_are_unique_and_say_what_to_do() {
    let codes: BTreeSet<&str> = RejectionCode::ALL.iter().map(|code| code.code).collect();
    assert_eq!(codes.len(), RejectionCode::ALL.len());
    for code in RejectionCode::ALL {
        assert!(code.code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{}", code.code);
        assert!(code.advice.ends_with('.') && code.meaning.trim().ends_with('.'), "{}", code.code);
    }
}

/// A caller whose command collides with what is there is told from one whose command breaks a rule.
#[test]
fn a_conflict_is_with_something_that_is_there() {
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
fn nothing_can_be_asked_of_a_ledger_that_was_not_created() {
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
