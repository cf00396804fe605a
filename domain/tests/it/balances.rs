//! The figures of balances: the worked example beside their definition, row by row, and the limits of their range.

use recount_domain::{Balance, Command, Figures, PostTransaction, Totals};
use recount_events::ledger::{AccountKind, Direction, Overdraft};

use crate::support::*;

/// The example of `balance.rs`, on Alice's wallet and on the opposite accounts.
#[test]
fn the_figures_match_the_worked_example() {
    // Bob and the bank have the funds that the example assumes.
    let book = given(&[pay("funds", "bank", "bob", 500)]);
    let funded = [500, 0, 0, 500];
    let bank = [10_500, 0, 0, 10_500];
    let rows: [(Command, [[i128; 4]; 3]); 6] = [
        (pay("t1", "bank", "alice", 10_000), [[10_000, 0, 0, 10_000], funded, bank]),
        (hold("h1", "alice", "shop", 3_000), [[10_000, 3_000, 0, 7_000], funded, bank]),
        (hold("h2", "bob", "alice", 500), [[10_000, 3_000, 500, 7_000], [500, 500, 0, 0], bank]),
        (capture_amount("h1", "c1", 2_000), [[8_000, 1_000, 500, 7_000], [500, 500, 0, 0], bank]),
        (release("h1"), [[8_000, 0, 500, 8_000], [500, 500, 0, 0], bank]),
        (capture("h2", "c2"), [[8_500, 0, 0, 8_500], [0, 0, 0, 0], bank]),
    ];
    rows.into_iter().fold(book, |book, (command, figures)| {
        let book = book.when(command).accepted(1);
        assert_eq!(
            ["alice", "bob", "bank"].map(|account| book.figures(account)),
            figures,
            "{:?}",
            book.last_event()
        );
        book
    });
}

/// Debits increase an account whose normal side is debit, and credits decrease it.
#[test]
fn asset_and_liability_accounts_mirror_each_other() {
    let rows: [(Command, [i128; 4]); 6] = [
        (pay("t1", "bank", "alice", 10_000), [10_000, 0, 0, 10_000]),
        (hold("h1", "shop", "bank", 3_000), [10_000, 3_000, 0, 7_000]),
        (hold("h2", "bank", "bob", 500), [10_000, 3_000, 500, 7_000]),
        (capture_amount("h1", "c1", 2_000), [8_000, 1_000, 500, 7_000]),
        (release("h1"), [8_000, 0, 500, 8_000]),
        (capture("h2", "c2"), [8_500, 0, 0, 8_500]),
    ];
    let book = given(&[set_overdraft("shop", Overdraft::Unlimited)]);
    rows.into_iter().fold(book, |book, (command, bank)| {
        let book = book.when(command).accepted(1);
        assert_eq!(book.figures("bank"), bank, "{:?}", book.last_event());
        book
    });
}

#[test]
fn a_hold_from_an_account_to_itself_is_held_and_incoming() {
    let book = given(&[pay("t1", "bank", "alice", 5)]).when(hold("h1", "alice", "alice", 5)).accepted(1);
    assert_eq!(book.figures("alice"), [5, 5, 5, 0]);
    let book = book.when(capture_last("h1", "c1", 2)).accepted(1);
    assert_eq!(book.figures("alice"), [5, 0, 0, 5]);
}

#[test]
fn the_figures_reach_both_ends_of_their_range() {
    let most = Balance { net: i128::MAX, ..Balance::default() };
    let posted = i128::MAX;
    let figures = Figures { posted, held: 0, incoming: 0, available: posted };
    assert_eq!(most.figures(AccountKind::Asset), figures);
    let figures = Figures { posted: -posted, held: 0, incoming: 0, available: -posted };
    assert_eq!(most.figures(AccountKind::Income), figures);

    let sides = |direction, minor_units| Totals::default().with(direction, amount(minor_units)).unwrap();
    let max = i128::MAX;
    for direction in [Direction::Debit, Direction::Credit] {
        let other = direction.opposite();
        let full = Balance::default().with_posted(sides(direction, max)).unwrap();
        assert_eq!(full.with_posted(sides(direction, 1)), None);
        assert_eq!(full.with_held(sides(direction, 1)), None);
        assert_eq!(full.with_posted(sides(other, max)), Some(Balance::default()));
        assert!(full.with_held(sides(other, max)).is_some());
        let held = Balance::default().with_held(sides(direction, max)).unwrap();
        assert_eq!(held.with_held(sides(direction, 1)), None);
        assert_eq!(held.with_posted(sides(direction, 1)), None);
        assert!(held.with_posted(sides(other, max)).is_some());
        let nearly = Balance::default().with_held(sides(direction, max - 1)).unwrap();
        assert!(nearly.with_posted(sides(direction, 1)).is_some());
        assert!(nearly.with_held(sides(direction, 1)).is_some());
        assert_eq!(nearly.with_posted(sides(direction, 2)), None);
        assert_eq!(nearly.with_held(sides(direction, 2)), None);
        assert_eq!(sides(direction, max).with(direction, amount(1)), None);
        assert!(sides(direction, max).with(other, amount(max)).is_some());
    }
}

#[test]
fn a_transaction_of_the_largest_amount_can_be_reversed() {
    let book = given(&[
        open_with("world", AccountKind::Equity, Overdraft::Unlimited),
        set_overdraft("bank", Overdraft::Unlimited),
        pay("t1", "bank", "world", 10),
        pay("typo", "world", "bank", i128::MAX),
    ]);
    let book = book.when(reverse("typo", "undone")).accepted(1);
    assert_eq!((book.posted("bank"), book.posted("world")), (10, 10));
    // It leaves no trace that would limit later postings.
    let again = |id| pay(id, "bank", "world", i128::MAX - 10);
    let book = book.when(again("t2")).accepted(1).when(reverse("t2", "r2")).accepted(1);
    book.when(again("t3")).accepted(1);
}

#[test]
fn only_the_balance_after_a_transaction_must_be_in_range() {
    let book = given(&[
        open_with("world", AccountKind::Equity, Overdraft::Unlimited),
        pay("t1", "bank", "world", 10),
    ]);
    let through =
        [transfer("bank", "world", "USD/2", i128::MAX), transfer("world", "bank", "USD/2", i128::MAX)];
    book.when(post("t2", through.concat())).rejected("balance-overflow");
    let half = i128::MAX / 2;
    let through = [transfer("bank", "world", "USD/2", half), transfer("world", "bank", "USD/2", half)];
    let nearly = book.and(pay("t2", "bank", "world", i128::MAX - 10));
    let nearly = nearly.when(post("t3", through.concat())).accepted(1);
    assert_eq!(nearly.posted("bank"), i128::MAX);
    nearly.when(reverse("t3", "r3")).accepted(1);
}

#[test]
fn a_balance_is_stored_as_strings_to_keep_all_digits() {
    let balance = Balance { net: -i128::MAX, held_debits: 0, held_credits: 1 << 60 };
    let json = serde_json::to_value(balance).unwrap();
    assert_eq!(json["net"], (-i128::MAX).to_string());
    assert_eq!(json["held_credits"], "1152921504606846976");
    assert_eq!(serde_json::from_value::<Balance>(json).unwrap(), balance);
}

#[test]
fn balances_out_of_range_are_rejected() {
    let book = given(&[
        open_with("world", AccountKind::Equity, Overdraft::Unlimited),
        pay("t1", "bank", "world", i128::MAX),
    ]);
    let rejection = book.when(pay("t2", "bank", "alice", 1)).rejected("balance-overflow");
    assert_eq!(
        rejection.to_string(),
        "the balance of account `bank` in USD/2, or the sum of the amounts that change it, would exceed 127 bits"
    );
    book.when(hold("h1", "bank", "alice", 1)).rejected("balance-overflow");
    let rejection = book.when(hold("h1", "alice", "world", 1)).rejected("balance-overflow");
    assert_eq!(detail(&rejection, "account"), "world");
    // The other side of the account has its own range.
    book.when(pay("t2", "world", "bank", i128::MAX)).accepted(1);
    book.when(post("t2", transfer("bank", "alice", "EUR/2", 1))).accepted(1);
}

#[test]
fn every_open_hold_can_be_captured() {
    let book = given(&[
        open_with("world", AccountKind::Equity, Overdraft::Unlimited),
        hold("h1", "bank", "world", i128::MAX - 1),
    ]);
    book.when(pay("t1", "bank", "world", 2)).rejected("balance-overflow");
    book.when(hold("h2", "bank", "world", 2)).rejected("balance-overflow");
    let full = book.clone().and(pay("t1", "bank", "world", 1));
    full.when(pay("t2", "bank", "world", 1)).rejected("balance-overflow");
    let full = full.when(capture("h1", "c1")).accepted(1);
    assert_eq!(full.figures("bank"), [i128::MAX, 0, 0, i128::MAX]);
    // A released amount can be used again.
    book.and(release("h1")).when(pay("t1", "bank", "world", i128::MAX)).accepted(1);
}

#[test]
fn the_sums_of_one_transaction_must_be_in_range() {
    let book = given(&[
        open("bank2", AccountKind::Asset),
        open_with("world", AccountKind::Equity, Overdraft::Unlimited),
    ]);
    let twice =
        [transfer("bank", "alice", "USD/2", i128::MAX), transfer("bank2", "world", "USD/2", i128::MAX)]
            .concat();
    book.when(post("t1", twice)).rejected("balance-overflow");
    let same: Vec<_> = (0..2).flat_map(|_| transfer("bank", "alice", "USD/2", i128::MAX)).collect();
    book.when(post("t1", same)).rejected("balance-overflow");
}

/// In the precedence, overflow comes after unknown accounts and assets.
#[test]
fn other_rejections_come_before_overflow_of_a_transaction() {
    let book = given(&[refer("t1", "taken"), close_period("2025-01-01T00:00:00Z")]);
    let twice = |debit: &str, asset: &str| -> Vec<_> {
        (0..2).flat_map(|_| transfer(debit, "alice", asset, i128::MAX)).collect()
    };
    book.when(post("t2", twice("nobody", "USD/2"))).rejected("account-unknown");
    book.when(post("t2", twice("bank", "GBP/2"))).rejected("asset-unknown");
    let early = PostTransaction {
        effective_at: Some(moment("2024-01-01T00:00:00Z")),
        ..posting("t2", twice("bank", "USD/2"))
    };
    book.when(Command::PostTransaction(early)).rejected("period-closed");
    let mut uneven = twice("bank", "USD/2");
    uneven.push(entry("bank", Direction::Debit, "EUR/2", 1));
    let rejection = book.when(post("t2", uneven)).rejected("unbalanced");
    assert_eq!(detail(&rejection, "asset"), "EUR/2");
    book.when(post("t2", twice("bank", "USD/2"))).rejected("balance-overflow");
}
