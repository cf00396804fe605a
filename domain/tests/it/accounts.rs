//! Creating a ledger, registering assets, and opening, freezing and closing accounts.

use recount_domain::{Command, OpenAccount};
use recount_events::ledger::{AccountKind, FreezeScope, LedgerEvent, Overdraft};
use serde_json::json;

use crate::support::*;

#[test]
fn a_ledger_is_created_once() {
    let create = || Command::CreateLedger { ledger: "main".to_owned() };
    Book::nowhere().when(create()).accepted(1).when(create()).has_no_effect();
}

#[test]
fn an_asset_has_one_scale() {
    let book = given(&[]);
    book.when(register_asset("GBP/2")).accepted(1);
    book.when(register_asset("USD/2")).has_no_effect();
    let rejection = book.when(register_asset("USD/3")).rejected("asset-scale-differs");
    assert_eq!(rejection.to_string(), "asset `USD` is registered as `USD/2`, not as `USD/3`");
}

#[test]
fn an_account_is_opened_as_sent() {
    let book = given(&[]);
    let command = OpenAccount {
        kind: Some(AccountKind::Expense),
        overdraft: Some(Overdraft::Unlimited),
        limits: Some(vec![limit("EUR/2", Some(5), None)]),
        assets: vec!["EUR/2".parse().unwrap()],
        metadata: members(json!({"note": "x"})),
        ..opening("rent")
    };
    let book = book.when(Command::OpenAccount(command.clone())).accepted(1);
    let LedgerEvent::AccountOpened(opened) = book.last_event() else { panic!("not opened") };
    assert_eq!(Some(opened.kind), command.kind);
    assert_eq!(Some(&opened.overdraft), command.overdraft.as_ref());
    assert_eq!(Some(&opened.limits), command.limits.as_ref());
    assert_eq!((&opened.assets, &opened.metadata), (&command.assets, &command.metadata));
    assert!(!opened.on_first_use);

    let state = book.account("rent");
    assert_eq!((state.kind(), &state.terms.overdraft), (AccountKind::Expense, &Overdraft::Unlimited));
    assert_eq!((&state.terms.limits, &state.terms.metadata), (&opened.limits, &opened.metadata));
    assert!(!state.closed && state.balances.is_empty());
}

#[test]
fn an_account_defaults_to_no_overdraft_no_limits_and_any_asset() {
    let book = given(&[]).when(open("cash", AccountKind::Asset)).accepted(1);
    let state = book.account("cash");
    assert_eq!((&state.terms.overdraft, state.terms.limits.len()), (&Overdraft::None, 0));
    assert!(state.may_hold(&"USD/2".parse().unwrap()) && state.may_hold(&"EUR/2".parse().unwrap()));
}

#[test]
fn without_a_chart_the_kind_is_required() {
    given(&[]).when(Command::OpenAccount(opening("cash"))).rejected("kind-missing");
}

#[test]
fn a_repeated_opening_must_have_the_same_content() {
    let original = OpenAccount {
        kind: Some(AccountKind::Asset),
        overdraft: Some(limited("USD/2", 5)),
        limits: Some(vec![limit("USD/2", None, Some(9))]),
        assets: vec!["USD/2".parse().unwrap()],
        metadata: members(json!({"note": "x"})),
        ..opening("cash")
    };
    let book = given(&[Command::OpenAccount(original.clone())]);
    let differs = |field: &str, change: fn(&mut OpenAccount)| {
        let command = Command::OpenAccount(with(original.clone(), change));
        let rejection = book.when(command).rejected("account-conflict");
        assert_eq!(detail(&rejection, "field"), field);
    };
    differs("kind", |open| open.kind = Some(AccountKind::Liability));
    differs("overdraft", |open| open.overdraft = Some(Overdraft::None));
    differs("limits", |open| open.limits = Some(Vec::new()));
    differs("assets", |open| open.assets = vec!["EUR/2".parse().unwrap()]);
    differs("metadata", |open| open.metadata = members(json!({})));
    // The first of several differences is reported.
    differs("kind", |open| *open = OpenAccount { kind: Some(AccountKind::Equity), ..opening("cash") });
}

#[test]
fn a_repeated_opening_may_omit_members() {
    let book = given(&[set_overdraft("bank", Overdraft::Unlimited)]);
    book.when(Command::OpenAccount(opening("bank"))).has_no_effect();
    let original = OpenAccount {
        kind: Some(AccountKind::Asset),
        overdraft: Some(Overdraft::Unlimited),
        limits: Some(vec![limit("USD/2", None, Some(9))]),
        assets: vec!["USD/2".parse().unwrap()],
        ..opening("cash")
    };
    let book = book.and(Command::OpenAccount(original));
    book.when(Command::OpenAccount(opening("cash"))).has_no_effect();
}

#[test]
fn an_opening_can_be_repeated_after_changes_to_the_account() {
    let book = given(&[
        set_overdraft("alice", Overdraft::Unlimited),
        set_limits("alice", &[limit("USD/2", None, Some(9))]),
        set_metadata(of_account("alice"), json!({"note": "x"})),
        freeze("alice", FreezeScope::Both),
    ]);
    book.when(open_with("alice", AccountKind::Liability, Overdraft::None)).has_no_effect();
    let closed = book.and(close("alice"));
    closed.when(open("alice", AccountKind::Liability)).rejected("account-closed");
    closed.when(open("alice", AccountKind::Asset)).rejected("account-conflict");
}

#[test]
fn the_assets_of_an_opening_must_be_registered() {
    let book = given(&[]);
    let asset = |change: fn(&mut OpenAccount)| {
        let open = OpenAccount { kind: Some(AccountKind::Asset), ..opening("cash") };
        Command::OpenAccount(with(open, change))
    };
    book.when(asset(|open| open.overdraft = Some(limited("GBP/2", 5)))).rejected("asset-unknown");
    book.when(asset(|open| open.limits = Some(vec![limit("GBP/2", None, Some(5))])))
        .rejected("asset-unknown");
    book.when(asset(|open| open.assets = vec!["GBP/2".parse().unwrap()])).rejected("asset-unknown");
    book.when(asset(|open| open.overdraft = Some(limited("USD/3", 5)))).rejected("asset-scale-differs");
}

#[test]
fn an_account_rejects_assets_that_it_may_not_hold() {
    let dollars = OpenAccount {
        kind: Some(AccountKind::Liability),
        assets: vec!["USD/2".parse().unwrap()],
        ..opening("carol")
    };
    let book = given(&[Command::OpenAccount(dollars)]);
    book.when(pay("t1", "bank", "carol", 1)).accepted(1);
    let rejection =
        book.when(post("t1", transfer("bank", "carol", "EUR/2", 1))).rejected("asset-not-allowed");
    assert_eq!(rejection.to_string(), "account `carol` may not hold EUR/2; it may hold USD/2");
    let euros = with(placing("h1", "bank", "carol", 1), |hold| hold.asset = "EUR/2".parse().unwrap());
    book.when(Command::Hold(euros)).rejected("asset-not-allowed");
}

#[test]
fn a_freeze_rejects_entries_on_the_frozen_side_only() {
    let book = given(&[pay("t1", "bank", "alice", 100), freeze("alice", FreezeScope::Debits)]);
    let rejection = book.when(pay("t2", "alice", "bob", 10)).rejected("account-frozen");
    assert_eq!(rejection.to_string(), "account `alice` is frozen for debits");
    book.when(pay("t2", "bank", "alice", 10)).accepted(1);

    let book = given(&[pay("t1", "bank", "alice", 100), freeze("alice", FreezeScope::Credits)]);
    let rejection = book.when(pay("t2", "bank", "alice", 10)).rejected("account-frozen");
    assert_eq!(detail(&rejection, "direction"), "credit");
    book.when(pay("t2", "alice", "bob", 10)).accepted(1);

    let book = book.and(freeze("alice", FreezeScope::Both));
    book.when(pay("t2", "bank", "alice", 10)).rejected("account-frozen");
    book.when(pay("t2", "alice", "bob", 10)).rejected("account-frozen");
}

#[test]
fn freezes_of_both_sides_are_independent() {
    let book = given(&[freeze("alice", FreezeScope::Debits), freeze("alice", FreezeScope::Credits)]);
    book.when(freeze("alice", FreezeScope::Both)).has_no_effect();
    let book = book.when(unfreeze("alice", FreezeScope::Credits)).accepted(1);
    book.when(unfreeze("alice", FreezeScope::Credits)).has_no_effect();
    book.when(freeze("alice", FreezeScope::Debits)).has_no_effect();
    book.when(pay("t1", "bank", "alice", 10)).accepted(1);
    book.when(freeze("alice", FreezeScope::Both)).accepted(1);
    let book = book.when(unfreeze("alice", FreezeScope::Both)).accepted(1);
    book.when(unfreeze("alice", FreezeScope::Debits)).has_no_effect();
}

#[test]
fn unfreezing_an_unfrozen_account_changes_nothing() {
    given(&[]).when(unfreeze("alice", FreezeScope::Both)).has_no_effect();
}

#[test]
fn a_freeze_applies_to_reversals_holds_and_captures() {
    let book = given(&[
        pay("t1", "bank", "alice", 100),
        hold("h1", "alice", "shop", 10),
        freeze("alice", FreezeScope::Debits),
    ]);
    book.when(reverse("t1", "r1")).rejected("account-frozen");
    book.when(hold("h2", "alice", "shop", 1)).rejected("account-frozen");
    book.when(hold("h2", "bank", "alice", 1)).accepted(1);
    book.when(capture("h1", "c1")).rejected("account-frozen");
    // A release is not an entry.
    book.when(release("h1")).accepted(1);
}

#[test]
fn an_account_can_be_closed_if_every_balance_is_zero() {
    let book = given(&[pay("t1", "bank", "alice", 100)]);
    let rejection = book.when(close("alice")).rejected("account-not-empty");
    assert_eq!(rejection.to_string(), "account `alice` is not empty: its balance in USD/2 is 100");
    let book = book.and(pay("t2", "alice", "bob", 100));
    let euros = book.clone().and(post("t3", transfer("bank", "alice", "EUR/2", 7)));
    assert_eq!(detail(&euros.when(close("alice")).rejected("account-not-empty"), "asset"), "EUR/2");
    let book = book.when(close("alice")).accepted(1);
    assert!(book.account("alice").closed);
}

#[test]
fn an_overdrawn_account_is_not_empty() {
    let book = given(&[set_overdraft("alice", Overdraft::Unlimited), pay("t1", "alice", "bob", 1)]);
    assert_eq!(detail(&book.when(close("alice")).rejected("account-not-empty"), "posted"), "-1");
}

#[test]
fn an_account_with_open_holds_cannot_be_closed() {
    let book = given(&[
        set_overdraft("alice", Overdraft::Unlimited),
        hold("h1", "alice", "shop", 10),
        hold("h2", "bank", "alice", 5),
    ]);
    let rejection = book.when(close("alice")).rejected("account-has-holds");
    assert_eq!((detail(&rejection, "held"), detail(&rejection, "incoming")), ("10".into(), "5".into()));
    let book = book.and(release("h2"));
    book.when(close("alice")).rejected("account-has-holds");
    let book = book.and(release("h1"));
    book.when(close("alice")).accepted(1);
    book.when(close("shop")).accepted(1);
}

#[test]
fn an_account_with_incoming_holds_cannot_be_closed() {
    let book = given(&[hold("h1", "bank", "alice", 5)]);
    book.when(close("alice")).rejected("account-has-holds");
    book.when(close("bank")).rejected("account-has-holds");
    book.when(close("bob")).accepted(1);
}

#[test]
fn a_closed_account_accepts_only_metadata() {
    let book = given(&[pay("t1", "bank", "alice", 1), pay("t2", "alice", "bob", 1), close("alice")]);
    book.when(close("alice")).has_no_effect();
    for command in [
        pay("t3", "bank", "alice", 1),
        pay("t3", "alice", "bob", 1),
        reverse("t1", "r1"),
        hold("h1", "bank", "alice", 1),
        freeze("alice", FreezeScope::Both),
        set_overdraft("alice", Overdraft::Unlimited),
        set_limits("alice", &[limit("USD/2", None, Some(5))]),
    ] {
        book.when(command).rejected("account-closed");
    }
    book.when(set_metadata(of_account("alice"), json!({"closed": "by request"}))).accepted(1);
}

#[test]
fn commands_without_effect_are_accepted_on_a_closed_account() {
    let changes = [
        freeze("alice", FreezeScope::Credits),
        set_overdraft("alice", Overdraft::Unlimited),
        set_limits("alice", &[limit("USD/2", None, Some(5))]),
    ];
    let book = given(&changes).and(close("alice"));
    for repeated in changes {
        book.when(repeated).has_no_effect();
    }
    book.when(unfreeze("alice", FreezeScope::Debits)).has_no_effect();
    book.when(unfreeze("alice", FreezeScope::Both)).rejected("account-closed");
}

#[test]
fn commands_on_an_unknown_account_are_rejected() {
    let book = given(&[]);
    for command in [
        freeze("nobody", FreezeScope::Both),
        unfreeze("nobody", FreezeScope::Both),
        close("nobody"),
        set_overdraft("nobody", Overdraft::None),
        set_limits("nobody", &[]),
        pay("t1", "nobody", "alice", 1),
        pay("t1", "bank", "nobody", 1),
        hold("h1", "nobody", "alice", 1),
        hold("h1", "bank", "nobody", 1),
    ] {
        book.when(command).rejected("account-unknown");
    }
}
