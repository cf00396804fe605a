//! Expectations: conditions on balances.

use recount_domain::{Command, Comparison, Expectation, Figure, Request};
use recount_events::ledger::{AccountKind, FreezeScope};

use crate::support::*;

/// Alice has 100 posted, 60 held, 5 incoming, and so 40 available.
fn book() -> Book {
    given(&[
        pay("t1", "bank", "alice", 100),
        pay("t2", "bank", "bob", 5),
        hold("h1", "alice", "shop", 60),
        hold("h2", "bob", "alice", 5),
    ])
}

fn next() -> Command {
    pay("t9", "bank", "alice", 1)
}

#[test]
fn every_figure_can_be_compared_in_every_way() {
    let book = book();
    for (figure, name, actual) in [
        (Figure::Posted, "posted", 100),
        (Figure::Held, "held", 60),
        (Figure::Incoming, "incoming", 5),
        (Figure::Available, "available", 40),
    ] {
        for (comparison, member, expected, taken) in [
            (Comparison::AtLeast, "at_least", actual - 1, true),
            (Comparison::AtLeast, "at_least", actual, true),
            (Comparison::AtLeast, "at_least", actual + 1, false),
            (Comparison::AtMost, "at_most", actual - 1, false),
            (Comparison::AtMost, "at_most", actual, true),
            (Comparison::AtMost, "at_most", actual + 1, true),
            (Comparison::Equal, "equal_to", actual - 1, false),
            (Comparison::Equal, "equal_to", actual, true),
            (Comparison::Equal, "equal_to", actual + 1, false),
        ] {
            let request = expecting(next(), "alice", figure, comparison, expected);
            if taken {
                book.when(request).accepted(1);
            } else {
                let rejection = book.when(request).rejected("expectation-failed");
                assert_eq!(detail(&rejection, "expected"), member);
                let words = member.replace('_', " ");
                assert_eq!(
                    rejection.to_string(),
                    format!(
                        "the {name} balance of account `alice` in USD/2 is {actual}, but was expected to be \
                         {words} {expected}"
                    )
                );
            }
        }
    }
}

#[test]
fn expected_amounts_are_on_the_normal_side() {
    let book = book();
    book.when(expecting(next(), "bank", Figure::Posted, Comparison::Equal, 105)).accepted(1);
    let overdrawn = given(&[
        set_overdraft("alice", recount_events::ledger::Overdraft::Unlimited),
        pay("t1", "alice", "bob", 7),
    ]);
    overdrawn.when(expecting(next(), "alice", Figure::Available, Comparison::Equal, -7)).accepted(1);
    overdrawn
        .when(expecting(next(), "alice", Figure::Available, Comparison::AtLeast, -6))
        .rejected("expectation-failed");
}

#[test]
fn every_command_can_have_expectations() {
    for command in [
        Command::RegisterAsset { asset: "GBP/2".parse().unwrap() },
        open("cash", AccountKind::Asset),
        freeze("bob", FreezeScope::Both),
        release("h1"),
        capture("h1", "c1"),
        reverse_amount("t1", "r1", 5),
        close_period("2025-01-01T00:00:00Z"),
        register("c1", "Alice"),
    ] {
        book().when(expecting(command.clone(), "alice", Figure::Held, Comparison::Equal, 60)).accepted(1);
        let unmet = expecting(command, "alice", Figure::Held, Comparison::Equal, 61);
        book().when(unmet).rejected("expectation-failed");
    }
}

#[test]
fn all_expectations_must_be_met() {
    let both = |first, second| {
        let request = expecting(next(), "alice", Figure::Posted, Comparison::Equal, first);
        expecting(request, "bob", Figure::Posted, Comparison::Equal, second)
    };
    book().when(both(100, 5)).accepted(1);
    let rejection = book().when(both(100, 6)).rejected("expectation-failed");
    assert_eq!(detail(&rejection, "account"), "bob");
    let rejection = book().when(both(99, 6)).rejected("expectation-failed");
    assert_eq!(detail(&rejection, "account"), "alice");
}

#[test]
fn expectations_of_a_command_without_effect_are_not_checked() {
    let book = book();
    let request = expecting(pay("t1", "bank", "alice", 100), "alice", Figure::Posted, Comparison::Equal, 0);
    book.when(request).has_no_effect();
    let request = expecting(pay("t1", "bank", "alice", 100), "nobody", Figure::Posted, Comparison::Equal, 0);
    book.when(request).has_no_effect();
}

#[test]
fn expectations_apply_to_the_balance_before_the_command() {
    let book = given(&[]);
    book.when(expecting(next(), "alice", Figure::Posted, Comparison::Equal, 0)).accepted(1);
    book.when(expecting(next(), "alice", Figure::Posted, Comparison::Equal, 1))
        .rejected("expectation-failed");
}

#[test]
fn an_expectation_on_an_unknown_account_is_rejected() {
    let request = expecting(next(), "nobody", Figure::Posted, Comparison::Equal, 0);
    book().when(request).rejected("account-unknown");
    let opens = expecting(open("cash", AccountKind::Asset), "cash", Figure::Posted, Comparison::Equal, 0);
    book().when(opens).rejected("account-unknown");
}

#[test]
fn an_account_that_opens_on_first_use_has_zero_balances_before() {
    let rules = [opening_rule("users:*", AccountKind::Liability), rule("banks:*", AccountKind::Asset)];
    let book = given(&[set_chart(&rules)]);
    for figure in [Figure::Posted, Figure::Held, Figure::Incoming, Figure::Available] {
        let command = pay("t1", "bank", "users:al", 1);
        book.when(expecting(command.clone(), "users:al", figure, Comparison::Equal, 0)).accepted(2);
        book.when(expecting(command, "users:al", figure, Comparison::AtLeast, 1))
            .rejected("expectation-failed");
    }
    let request = expecting(next(), "banks:one", Figure::Posted, Comparison::Equal, 0);
    book.when(request).rejected("account-unknown");
}

/// Otherwise the balance in another scale, or of a misspelt asset, would always be zero.
#[test]
fn the_asset_of_an_expectation_must_be_registered() {
    let expecting_in = |asset: &str| {
        let mut request = Request::from(next());
        request.expect.push(Expectation {
            account: "alice".parse().unwrap(),
            asset: asset.parse().unwrap(),
            figure: Figure::Posted,
            comparison: Comparison::AtMost,
            amount: 100,
        });
        request
    };
    book().when(expecting_in("USD/2")).accepted(1);
    book().when(expecting_in("EUR/2")).accepted(1);
    book().when(expecting_in("GBP/2")).rejected("asset-unknown");
    book().when(expecting_in("USD/3")).rejected("asset-scale-differs");
}

#[test]
fn an_expectation_on_a_new_ledger_is_rejected() {
    let create = Command::CreateLedger { ledger: "main".to_owned() };
    let request = expecting(create.clone(), "alice", Figure::Posted, Comparison::Equal, 0);
    Book::nowhere().when(request.clone()).rejected("asset-unknown");
    Book::nowhere().and(create).when(request).has_no_effect();
}
