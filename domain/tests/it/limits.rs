//! Overdrafts, minimums and maximums.

use recount_domain::{Command, OpenAccount};
use recount_events::ledger::{AccountKind, Overdraft, OverdraftLimit};

use crate::support::*;

#[test]
fn an_account_without_an_overdraft_can_be_spent_down_to_zero() {
    let book = given(&[pay("t1", "bank", "alice", 100)]);
    let rejection = book.when(pay("t2", "alice", "bob", 101)).rejected("insufficient-funds");
    assert_eq!(
        rejection.to_string(),
        "account `alice` would have -1 available in USD/2; it has 100, and its minimum is 0"
    );
    let book = book.when(pay("t2", "alice", "bob", 100)).accepted(1);
    book.when(pay("t3", "alice", "bob", 1)).rejected("insufficient-funds");
}

#[test]
fn an_overdraft_is_none_limited_or_unlimited() {
    let book = given(&[]);
    book.when(pay("t1", "alice", "bob", 1)).rejected("insufficient-funds");
    let book = book.when(set_overdraft("alice", limited("USD/2", 50))).accepted(1);
    book.when(pay("t1", "alice", "bob", 51)).rejected("insufficient-funds");
    book.when(pay("t1", "alice", "bob", 50)).accepted(1);
    let book = book.when(set_overdraft("alice", Overdraft::Unlimited)).accepted(1);
    book.when(pay("t1", "alice", "bob", i128::MAX)).accepted(1);
    let book = book.when(set_overdraft("alice", Overdraft::None)).accepted(1);
    book.when(pay("t1", "alice", "bob", 1)).rejected("insufficient-funds");
}

#[test]
fn an_overdraft_limit_applies_to_one_asset() {
    let book = given(&[set_overdraft("alice", limited("USD/2", 50))]);
    book.when(post("t1", transfer("alice", "bob", "EUR/2", 1))).rejected("insufficient-funds");
    let both = Overdraft::Limited(vec![
        OverdraftLimit { asset: "EUR/2".parse().unwrap(), amount: amount(7) },
        OverdraftLimit { asset: "USD/2".parse().unwrap(), amount: amount(50) },
    ]);
    let book = book.and(set_overdraft("alice", both));
    book.when(post("t1", transfer("alice", "bob", "EUR/2", 7))).accepted(1);
    book.when(post("t1", transfer("alice", "bob", "EUR/2", 8))).rejected("insufficient-funds");
    book.when(pay("t1", "alice", "bob", 50)).accepted(1);
}

#[test]
fn limits_apply_on_the_normal_side_of_each_kind() {
    let kinds = [
        AccountKind::Asset,
        AccountKind::Liability,
        AccountKind::Equity,
        AccountKind::Income,
        AccountKind::Expense,
    ];
    for kind in kinds {
        let book = given(&[
            open("it", kind),
            open_with("world", AccountKind::Equity, Overdraft::Unlimited),
            set_limits("it", &[limit("USD/2", None, Some(10))]),
        ]);
        let (up, down) = match kind {
            AccountKind::Asset | AccountKind::Expense => (["it", "world"], ["world", "it"]),
            AccountKind::Liability | AccountKind::Equity | AccountKind::Income => {
                (["world", "it"], ["it", "world"])
            }
        };
        book.when(pay("t1", down[0], down[1], 1)).rejected("insufficient-funds");
        book.when(pay("t1", up[0], up[1], 11)).rejected("maximum-exceeded");
        let book = book.when(pay("t1", up[0], up[1], 10)).accepted(1);
        assert_eq!(book.figures("it"), [10, 0, 0, 10], "{kind}");
        book.when(pay("t2", down[0], down[1], 10)).accepted(1);
    }
}

#[test]
fn the_assets_of_overdrafts_and_limits_must_be_registered() {
    let book = given(&[]);
    book.when(set_overdraft("alice", limited("GBP/2", 50))).rejected("asset-unknown");
    book.when(set_overdraft("alice", limited("USD/3", 50))).rejected("asset-scale-differs");
    book.when(set_limits("alice", &[limit("GBP/2", Some(1), None)])).rejected("asset-unknown");
    book.when(set_limits("alice", &[limit("USD/2", Some(1), None), limit("EUR/0", Some(1), None)]))
        .rejected("asset-scale-differs");
    book.when(open_with("carol", AccountKind::Liability, limited("USD/3", 5)))
        .rejected("asset-scale-differs");
}

#[test]
fn setting_the_same_overdraft_or_limits_again_changes_nothing() {
    let limits = [limit("USD/2", Some(1), Some(2))];
    let book = given(&[set_overdraft("alice", limited("USD/2", 50)), set_limits("alice", &limits)]);
    book.when(set_overdraft("alice", limited("USD/2", 50))).has_no_effect();
    book.when(set_overdraft("bob", Overdraft::None)).has_no_effect();
    book.when(set_limits("alice", &limits)).has_no_effect();
    book.when(set_limits("bob", &[])).has_no_effect();
    book.when(set_limits("alice", &[])).accepted(1);
}

#[test]
fn new_limits_replace_all_earlier_ones() {
    let book = given(&[
        set_limits("alice", &[limit("USD/2", None, Some(10))]),
        set_limits("alice", &[limit("EUR/2", None, Some(10))]),
    ]);
    book.when(pay("t1", "bank", "alice", 11)).accepted(1);
    book.when(post("t1", transfer("bank", "alice", "EUR/2", 11))).rejected("maximum-exceeded");
}

#[test]
fn a_minimum_applies_whatever_the_overdraft() {
    for overdraft in [Overdraft::None, limited("USD/2", 50), Overdraft::Unlimited] {
        let book = given(&[
            pay("t1", "bank", "alice", 100),
            set_overdraft("alice", overdraft),
            set_limits("alice", &[limit("USD/2", Some(30), None)]),
        ]);
        let rejection = book.when(pay("t2", "alice", "bob", 71)).rejected("insufficient-funds");
        assert_eq!(detail(&rejection, "minimum"), "30");
        assert_eq!(detail(&rejection, "available_after"), "29");
        book.when(pay("t2", "alice", "bob", 70)).accepted(1);
    }
}

#[test]
fn a_minimum_applies_to_one_asset() {
    let book = given(&[
        post("t1", transfer("bank", "alice", "EUR/2", 5)),
        set_limits("alice", &[limit("USD/2", Some(30), None)]),
    ]);
    book.when(post("t2", transfer("alice", "bob", "EUR/2", 5))).accepted(1);
    book.when(post("t2", transfer("alice", "bob", "EUR/2", 6))).rejected("insufficient-funds");
}

#[test]
fn a_maximum_applies_to_posted_plus_incoming() {
    let book = given(&[set_limits("alice", &[limit("USD/2", None, Some(100))])]);
    let rejection = book.when(pay("t1", "bank", "alice", 101)).rejected("maximum-exceeded");
    assert_eq!(
        rejection.to_string(),
        "account `alice` would have 101 posted and incoming in USD/2; its maximum is 100"
    );
    book.when(pay("t1", "bank", "alice", 100)).accepted(1);
    book.when(hold("h1", "bank", "alice", 101)).rejected("maximum-exceeded");

    let book = book.and(pay("t1", "bank", "alice", 60)).and(hold("h1", "bank", "alice", 30));
    let rejection = book.when(pay("t2", "bank", "alice", 11)).rejected("maximum-exceeded");
    let figures = ["posted", "incoming", "total_after", "maximum"].map(|name| detail(&rejection, name));
    assert_eq!(figures, ["60", "30", "101", "100"]);
    book.when(hold("h2", "bank", "alice", 11)).rejected("maximum-exceeded");
    book.when(pay("t2", "bank", "alice", 10)).accepted(1);
    book.when(hold("h2", "bank", "alice", 10)).accepted(1);
    // Held amounts do not make room below the maximum.
    let book = book.and(hold("h3", "alice", "shop", 50));
    book.when(pay("t2", "bank", "alice", 11)).rejected("maximum-exceeded");
}

#[test]
fn an_account_below_its_minimum_accepts_credits() {
    let book = given(&[
        set_overdraft("alice", Overdraft::Unlimited),
        pay("t1", "alice", "bob", 100),
        set_overdraft("alice", Overdraft::None),
    ]);
    book.when(pay("t2", "alice", "bob", 1)).rejected("insufficient-funds");
    book.when(hold("h2", "alice", "bob", 1)).rejected("insufficient-funds");
    let book = book.when(pay("t2", "bank", "alice", 40)).accepted(1);
    assert_eq!(book.posted("alice"), -60);
    // A change that leaves the balance as it is does not take it further out.
    let around = [transfer("alice", "bob", "USD/2", 5), transfer("bank", "alice", "USD/2", 5)].concat();
    book.when(post("t3", around)).accepted(1);
}

#[test]
fn an_account_above_its_maximum_accepts_debits() {
    let book = given(&[
        pay("t1", "bank", "alice", 100),
        hold("h1", "bank", "alice", 10),
        set_limits("alice", &[limit("USD/2", None, Some(20))]),
    ]);
    book.when(pay("t2", "bank", "alice", 1)).rejected("maximum-exceeded");
    book.when(hold("h2", "bank", "alice", 1)).rejected("maximum-exceeded");
    let book = book.when(pay("t2", "alice", "bob", 40)).accepted(1);
    let around = [transfer("alice", "bob", "USD/2", 5), transfer("bank", "alice", "USD/2", 5)].concat();
    book.when(post("t3", around)).accepted(1);
    // Capturing an incoming amount adds nothing to posted plus incoming.
    book.when(capture("h1", "c1")).accepted(1);
}

#[test]
fn limits_apply_to_the_balance_after_the_whole_transaction() {
    let through = [transfer("alice", "bob", "USD/2", 10), transfer("bank", "alice", "USD/2", 10)].concat();
    let book = given(&[set_limits("alice", &[limit("USD/2", None, Some(5))])]);
    book.when(post("t1", through)).accepted(1);
    let less = [transfer("alice", "bob", "USD/2", 10), transfer("bank", "alice", "USD/2", 9)].concat();
    book.when(post("t1", less)).rejected("insufficient-funds");
    let more = [transfer("alice", "bob", "USD/2", 10), transfer("bank", "alice", "USD/2", 16)].concat();
    book.when(post("t1", more)).rejected("maximum-exceeded");
}

#[test]
fn limits_apply_to_each_asset_of_a_transaction() {
    let book = given(&[pay("t1", "bank", "alice", 100)]);
    let swap = [transfer("bank", "alice", "USD/2", 10), transfer("alice", "bank", "EUR/2", 1)].concat();
    let rejection = book.when(post("t2", swap)).rejected("insufficient-funds");
    assert_eq!(detail(&rejection, "asset"), "EUR/2");
}

#[test]
fn limits_from_the_opening_apply() {
    let limits = Some(vec![limit("USD/2", Some(10), Some(20))]);
    let open = OpenAccount { kind: Some(AccountKind::Liability), limits, ..opening("carol") };
    let book = given(&[Command::OpenAccount(open)]);
    // The account starts below its minimum: credits are accepted.
    let book = book.when(pay("t1", "bank", "carol", 5)).accepted(1);
    book.when(pay("t2", "carol", "bank", 1)).rejected("insufficient-funds");
    book.when(pay("t2", "bank", "carol", 16)).rejected("maximum-exceeded");
    let book = book.when(pay("t2", "bank", "carol", 15)).accepted(1);
    book.when(pay("t3", "carol", "bank", 10)).accepted(1);
    book.when(pay("t3", "carol", "bank", 11)).rejected("insufficient-funds");
}

#[test]
fn a_limit_of_zero_is_a_limit() {
    let book = given(&[
        set_overdraft("alice", Overdraft::Unlimited),
        set_limits("alice", &[limit("USD/2", Some(0), None)]),
        set_limits("bob", &[limit("USD/2", None, Some(0))]),
    ]);
    book.when(pay("t1", "alice", "bank", 1)).rejected("insufficient-funds");
    book.when(pay("t2", "bank", "bob", 1)).rejected("maximum-exceeded");
}
