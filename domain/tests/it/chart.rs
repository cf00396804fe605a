//! The chart of accounts: allowed names, and opening on first use.

use recount_domain::{Command, OpenAccount, PlaceHold};
use recount_events::ledger::{
    AccountKind, AccountOpened, ChartRule, Entry, FreezeScope, LedgerEvent, Overdraft,
};
use serde_json::json;

use crate::support::*;

/// A chart in which wallets open on first use, in dollars only, and banks must be opened explicitly.
fn chart() -> Vec<ChartRule> {
    vec![
        ChartRule {
            overdraft: limited("USD/2", 10),
            limits: vec![limit("USD/2", None, Some(1_000))],
            assets: vec!["USD/2".parse().unwrap()],
            ..opening_rule("users:*:wallet", AccountKind::Liability)
        },
        rule("banks:**", AccountKind::Asset),
        opening_rule("world", AccountKind::Equity),
    ]
}

fn charted() -> Book {
    given(&[set_chart(&chart())])
}

/// The accounts that the events opened, and the events after them.
fn opened(book: &Book, count: usize) -> (Vec<&AccountOpened>, &LedgerEvent) {
    let (last, before) = book.events.split_last().unwrap();
    let opened = before[before.len() - count..].iter().map(|event| match event {
        LedgerEvent::AccountOpened(opened) => opened,
        other => panic!("{other:?}"),
    });
    (opened.collect(), last)
}

#[test]
fn setting_or_removing_a_chart_again_changes_nothing() {
    let book = given(&[]);
    book.when(Command::RemoveChart).has_no_effect();
    let book = book.when(set_chart(&chart())).accepted(1);
    book.when(set_chart(&chart())).has_no_effect();
    book.when(set_chart(&chart()[1..])).accepted(1);
    let book = book.when(Command::RemoveChart).accepted(1);
    assert_eq!(*book.last_event(), LedgerEvent::ChartRemoved(recount_events::ledger::ChartRemoved {}));
    book.when(open("anything", AccountKind::Expense)).accepted(1);
}

#[test]
fn a_chart_without_rules_allows_no_account() {
    let book = given(&[]).when(set_chart(&[])).accepted(1);
    book.when(open("anything", AccountKind::Asset)).rejected("account-not-in-chart");
    // Existing accounts remain.
    book.when(pay("t1", "bank", "alice", 1)).accepted(1);
}

#[test]
fn the_assets_of_a_chart_must_be_registered() {
    let book = given(&[]);
    let with_rule = |change: fn(&mut ChartRule)| {
        set_chart(&[rule("a", AccountKind::Asset), with(rule("b", AccountKind::Asset), change)])
    };
    book.when(with_rule(|rule| rule.overdraft = limited("GBP/2", 1))).rejected("asset-unknown");
    book.when(with_rule(|rule| rule.limits = vec![limit("GBP/2", Some(1), None)])).rejected("asset-unknown");
    book.when(with_rule(|rule| rule.assets = vec!["GBP/2".parse().unwrap()])).rejected("asset-unknown");
    book.when(with_rule(|rule| rule.assets = vec!["USD/0".parse().unwrap()])).rejected("asset-scale-differs");
    book.when(with_rule(|rule| rule.assets = vec!["USD/2".parse().unwrap()])).accepted(1);
}

#[test]
fn a_chart_allows_only_names_that_match_a_rule() {
    let book = charted();
    let rejection = book.when(open("shops:one", AccountKind::Income)).rejected("account-not-in-chart");
    assert_eq!(rejection.to_string(), "no rule of the chart of accounts allows account `shops:one`");
    book.when(open("users:alice", AccountKind::Liability)).rejected("account-not-in-chart");
    book.when(open("banks:one", AccountKind::Asset)).accepted(1);
    book.when(open("banks:one:two", AccountKind::Asset)).accepted(1);
}

#[test]
fn a_chart_determines_the_kind_of_an_account() {
    let book = charted();
    let rejection = book.when(open("banks:one", AccountKind::Income)).rejected("kind-not-in-chart");
    assert_eq!(
        rejection.to_string(),
        "the chart's rule `banks:**` gives account `banks:one` the kind asset, not income"
    );
    let book = book.when(Command::OpenAccount(opening("banks:one"))).accepted(1);
    assert_eq!(book.account("banks:one").kind(), AccountKind::Asset);
}

#[test]
fn a_rule_provides_the_values_that_an_opening_omits() {
    let book = charted().when(Command::OpenAccount(opening("users:al:wallet"))).accepted(1);
    let (_, LedgerEvent::AccountOpened(opened)) = opened(&book, 0) else { panic!("not opened") };
    let rule = &chart()[0];
    assert_eq!((opened.kind, &opened.overdraft), (rule.kind, &rule.overdraft));
    assert_eq!((&opened.limits, &opened.assets), (&rule.limits, &rule.assets));
    assert!(!opened.on_first_use);
}

#[test]
fn an_opening_may_override_its_rule_except_for_the_kind_and_additional_assets() {
    let book = charted();
    let sent = OpenAccount {
        overdraft: Some(Overdraft::Unlimited),
        limits: Some(vec![]),
        ..opening("users:al:wallet")
    };
    let opened = book.when(Command::OpenAccount(sent)).accepted(1);
    let state = opened.account("users:al:wallet");
    assert_eq!((&state.terms.overdraft, state.terms.limits.len()), (&Overdraft::Unlimited, 0));

    let assets = |account: &str, assets: &[&str]| {
        let assets = assets.iter().map(|asset| asset.parse().unwrap()).collect();
        Command::OpenAccount(OpenAccount { assets, ..opening(account) })
    };
    book.when(assets("users:al:wallet", &["USD/2"])).accepted(1);
    let rejection = book.when(assets("users:al:wallet", &["USD/2", "EUR/2"])).rejected("asset-not-allowed");
    assert_eq!(detail(&rejection, "asset"), "EUR/2");
    // A rule without assets allows any asset.
    let opened = book.when(assets("banks:one", &["EUR/2"])).accepted(1);
    assert!(!opened.account("banks:one").may_hold(&"USD/2".parse().unwrap()));
}

#[test]
fn the_first_matching_rule_applies() {
    let rules = [
        rule("users:alice:*", AccountKind::Equity),
        opening_rule("users:*:*", AccountKind::Liability),
        opening_rule("users:alice:*", AccountKind::Income),
    ];
    let book = given(&[set_chart(&rules), set_overdraft("alice", Overdraft::Unlimited)]);
    book.when(open("users:alice:main", AccountKind::Income)).rejected("kind-not-in-chart");
    book.when(open("users:alice:main", AccountKind::Equity)).accepted(1);
    // Even if the first matching rule does not open on first use and a later one does.
    book.when(pay("t1", "bank", "users:alice:main", 1)).rejected("account-unknown");
    book.when(pay("t1", "bank", "users:bob:main", 1)).accepted(2);
}

#[test]
fn the_first_matching_rule_applies_with_and_without_wildcards() {
    let rules = [
        rule("fees:card", AccountKind::Income),
        rule("fees:*", AccountKind::Expense),
        rule("fees:wire", AccountKind::Income),
        rule("fees:card", AccountKind::Equity),
        rule("world", AccountKind::Asset),
        rule("**", AccountKind::Liability),
    ];
    let book = given(&[set_chart(&rules)]);
    for (account, kind) in [
        ("fees:card", AccountKind::Income),
        ("fees:wire", AccountKind::Expense),
        ("fees:other", AccountKind::Expense),
        ("world", AccountKind::Asset),
        ("worlds", AccountKind::Liability),
    ] {
        book.when(open(account, kind)).accepted(1);
        book.when(open(account, AccountKind::Equity)).rejected("kind-not-in-chart");
    }
}

#[test]
fn the_first_transaction_on_an_account_opens_it() {
    let book = charted().when(pay("t1", "bank", "users:al:wallet", 5)).accepted(2);
    let (accounts, then) = opened(&book, 1);
    assert!(matches!(then, LedgerEvent::TransactionPosted(_)));
    let rule = &chart()[0];
    let expected = AccountOpened {
        account: "users:al:wallet".parse().unwrap(),
        kind: rule.kind,
        overdraft: rule.overdraft.clone(),
        limits: rule.limits.clone(),
        assets: rule.assets.clone(),
        metadata: members(json!({})),
        on_first_use: true,
    };
    assert_eq!(accounts, [&expected]);
    assert_eq!(book.figures("users:al:wallet"), [5, 0, 0, 5]);
    // The second transaction finds the account open.
    book.when(pay("t2", "bank", "users:al:wallet", 5)).accepted(1);
}

#[test]
fn a_transaction_opens_each_new_account_once_before_it_is_posted() {
    let book = charted().and(set_overdraft("alice", Overdraft::Unlimited));
    let entries: Vec<Entry> = ["b", "a", "b", "a"]
        .iter()
        .flat_map(|user| transfer("bank", &format!("users:{user}:wallet"), "USD/2", 1))
        .chain(transfer("bank", "world", "EUR/2", 1))
        .collect();
    let book = book.when(post("t1", entries)).accepted(4);
    let (accounts, _) = opened(&book, 3);
    let mut names: Vec<&str> = accounts.iter().map(|opened| opened.account.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["users:a:wallet", "users:b:wallet", "world"]);
    assert_eq!(book.figures("users:a:wallet"), [2, 0, 0, 2]);
}

#[test]
fn the_first_hold_on_an_account_opens_it() {
    let book = charted().and(pay("t1", "bank", "alice", 9));
    let book = book.when(hold("h1", "alice", "users:al:wallet", 5)).accepted(2);
    assert_eq!(book.figures("users:al:wallet"), [0, 0, 5, 0]);
    let book = book.when(capture("h1", "c1")).accepted(1);
    assert_eq!(book.figures("users:al:wallet"), [5, 0, 0, 5]);
    // A hold between two new accounts, within the overdraft of the rule.
    let book = book.when(hold("h2", "users:x:wallet", "users:y:wallet", 10)).accepted(3);
    assert_eq!(book.figures("users:x:wallet"), [0, 10, 0, -10]);
}

#[test]
fn an_account_opened_on_first_use_obeys_its_rule_in_that_use() {
    let book = charted();
    book.when(pay("t1", "users:al:wallet", "alice", 10)).accepted(2);
    book.when(pay("t1", "users:al:wallet", "alice", 11)).rejected("insufficient-funds");
    book.when(pay("t1", "bank", "users:al:wallet", 1_000)).accepted(2);
    book.when(pay("t1", "bank", "users:al:wallet", 1_001)).rejected("maximum-exceeded");
    let euros = post("t1", transfer("bank", "users:al:wallet", "EUR/2", 1));
    book.when(euros).rejected("asset-not-allowed");
    let euros = PlaceHold { asset: "EUR/2".parse().unwrap(), ..placing("h1", "bank", "users:al:wallet", 1) };
    book.when(Command::Hold(euros)).rejected("asset-not-allowed");
    // A rejected command opens no accounts.
    assert!(!book.has_account("users:al:wallet"));
}

#[test]
fn an_account_opens_on_first_use_only_if_its_rule_allows_it() {
    let book = charted();
    book.when(pay("t1", "banks:one", "alice", 1)).rejected("account-unknown");
    book.when(pay("t1", "bank", "users:al", 1)).rejected("account-unknown");
    book.when(hold("h1", "banks:one", "alice", 1)).rejected("account-unknown");
    for command in [
        freeze("users:al:wallet", FreezeScope::Both),
        close("users:al:wallet"),
        set_overdraft("users:al:wallet", Overdraft::None),
        set_limits("users:al:wallet", &[]),
        set_metadata(of_account("users:al:wallet"), json!({"note": "x"})),
    ] {
        book.when(command).rejected("account-unknown");
    }
    let book = book.and(Command::RemoveChart);
    book.when(pay("t1", "bank", "users:al:wallet", 1)).rejected("account-unknown");
}

#[test]
fn a_chart_does_not_affect_existing_accounts() {
    let rules = [opening_rule("**", AccountKind::Expense)];
    let book = given(&[set_chart(&rules)]).when(pay("t1", "bank", "alice", 1)).accepted(1);
    assert_eq!(book.account("alice").kind(), AccountKind::Liability);
    book.when(open("alice", AccountKind::Liability)).has_no_effect();
    let book = book.and(pay("t2", "alice", "bob", 1)).and(close("alice"));
    book.when(pay("t3", "bank", "alice", 1)).rejected("account-closed");
}

#[test]
fn opening_an_account_after_its_first_use_changes_nothing() {
    let book = charted().and(pay("t1", "bank", "users:al:wallet", 5));
    book.when(Command::OpenAccount(opening("users:al:wallet"))).has_no_effect();
    book.when(open("users:al:wallet", AccountKind::Liability)).has_no_effect();
    book.when(open("users:al:wallet", AccountKind::Asset)).rejected("account-conflict");
}

#[test]
fn a_first_use_can_be_repeated_after_the_chart_changed() {
    let book = charted().and(pay("t1", "bank", "users:al:wallet", 5));
    book.clone().and(Command::RemoveChart).when(pay("t1", "bank", "users:al:wallet", 5)).has_no_effect();
    book.and(set_chart(&[])).when(pay("t1", "bank", "users:al:wallet", 5)).has_no_effect();
}
