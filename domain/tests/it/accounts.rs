//! Creating a ledger, registering assets, and opening, freezing and closing accounts.

use recount_domain::{Command, OpenAccount};
use recount_events::ledger::{AccountKind, FreezeScope, LedgerEvent, Overdraft};
use serde_json::json;

use crate::support::*;

#[test]
fn a_ledger_is_created_once() {
    let create = || Command::CreateLedger { ledger: "main".to_owned() };
    Book::nowhere().when(create()).happens(1).when(create()).nothing_happens();
}

#[test]
fn an_asset_is_counted_in_one_scale() {
    let book = given(&[]);
    book.when(register_asset("GBP/2")).happens(1);
    book.when(register_asset("USD/2")).nothing_happens();
    let rejection = book.when(register_asset("USD/3")).rejected("asset-scale-differs");
    assert_eq!(rejection.to_string(), "the ledger counts `USD` as `USD/2`, not as `USD/3`");
}

#[test]
fn an_account_is_opened_with_what_the_command_says() {
    let book = given(&[]);
    let command = OpenAccount {
        kind: Some(AccountKind::Expense),
        overdraft: Some(Overdraft::Unlimited),
        limits: Some(vec![limit("EUR/2", Some(5), None)]),
        assets: vec!["EUR/2".parse().unwrap()],
        metadata: members(json!({"note": "x"})),
        ..opening("rent")
    };
    let book = book.when(Command::OpenAccount(command.clone())).happens(1);
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
fn an_account_of_which_only_the_kind_is_said_has_no_overdraft_and_no_limits_and_takes_any_asset() {
    let book = given(&[]).when(open("cash", AccountKind::Asset)).happens(1);
    let state = book.account("cash");
    assert_eq!((&state.terms.overdraft, state.terms.limits.len()), (&Overdraft::None, 0));
    assert!(state.takes(&"USD/2".parse().unwrap()) && state.takes(&"EUR/2".parse().unwrap()));
}

#[test]
fn somebody_has_to_say_of_which_kind_an_account_is() {
    given(&[]).when(Command::OpenAccount(opening("cash"))).rejected("kind-missing");
}

#[test]
fn a_repeated_opening_must_say_the_same() {
    let said = OpenAccount {
        kind: Some(AccountKind::Asset),
        overdraft: Some(limited("USD/2", 5)),
        limits: Some(vec![limit("USD/2", None, Some(9))]),
        assets: vec!["USD/2".parse().unwrap()],
        metadata: members(json!({"note": "x"})),
        ..opening("cash")
    };
    let book = given(&[Command::OpenAccount(said.clone())]);
    let differs = |field: &str, change: fn(&mut OpenAccount)| {
        let command = Command::OpenAccount(with(said.clone(), change));
        let rejection = book.when(command).rejected("account-conflict");
        assert_eq!(detail(&rejection, "field"), field);
    };
    differs("kind", |open| open.kind = Some(AccountKind::Liability));
    differs("overdraft", |open| open.overdraft = Some(Overdraft::None));
    differs("limits", |open| open.limits = Some(Vec::new()));
    differs("assets", |open| open.assets = vec!["EUR/2".parse().unwrap()]);
    differs("metadata", |open| open.metadata = members(json!({})));
    // Of several differences the first is named.
    differs("kind", |open| *open = OpenAccount { kind: Some(AccountKind::Equity), ..opening("cash") });
}

#[test]
fn what_a_repeated_opening_leaves_out_does_not_differ() {
    let book = given(&[set_overdraft("bank", Overdraft::Unlimited)]);
    book.when(Command::OpenAccount(opening("bank"))).nothing_happens();
    let said = OpenAccount {
        kind: Some(AccountKind::Asset),
        overdraft: Some(Overdraft::Unlimited),
        limits: Some(vec![limit("USD/2", None, Some(9))]),
        assets: vec!["USD/2".parse().unwrap()],
        ..opening("cash")
    };
    let book = book.and(Command::OpenAccount(said));
    book.when(Command::OpenAccount(opening("cash"))).nothing_happens();
}

#[test]
fn an_opening_can_be_repeated_after_everything_about_the_account_was_changed() {
    let book = given(&[
        set_overdraft("alice", Overdraft::Unlimited),
        set_limits("alice", &[limit("USD/2", None, Some(9))]),
        set_metadata(of_account("alice"), json!({"note": "x"})),
        freeze("alice", FreezeScope::Both),
    ]);
    book.when(open_with("alice", AccountKind::Liability, Overdraft::None)).nothing_happens();
    let closed = book.and(close("alice"));
    closed.when(open("alice", AccountKind::Liability)).rejected("account-closed");
    closed.when(open("alice", AccountKind::Asset)).rejected("account-conflict");
}

#[test]
fn what_an_account_is_opened_with_names_assets_that_the_ledger_counts() {
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
fn an_account_holds_only_the_assets_that_it_may_hold() {
    let dollars = OpenAccount {
        kind: Some(AccountKind::Liability),
        assets: vec!["USD/2".parse().unwrap()],
        ..opening("carol")
    };
    let book = given(&[Command::OpenAccount(dollars)]);
    book.when(pay("t1", "bank", "carol", 1)).happens(1);
    let rejection =
        book.when(post("t1", transfer("bank", "carol", "EUR/2", 1))).rejected("asset-not-allowed");
    assert_eq!(rejection.to_string(), "account `carol` may not hold EUR/2; it may hold USD/2");
    let euros = with(placing("h1", "bank", "carol", 1), |hold| hold.asset = "EUR/2".parse().unwrap());
    book.when(Command::Hold(euros)).rejected("asset-not-allowed");
}

#[test]
fn a_frozen_side_takes_no_entries_and_the_other_does() {
    let book = given(&[pay("t1", "bank", "alice", 100), freeze("alice", FreezeScope::Debits)]);
    let rejection = book.when(pay("t2", "alice", "bob", 10)).rejected("account-frozen");
    assert_eq!(rejection.to_string(), "account `alice` is frozen for debits");
    book.when(pay("t2", "bank", "alice", 10)).happens(1);

    let book = given(&[pay("t1", "bank", "alice", 100), freeze("alice", FreezeScope::Credits)]);
    let rejection = book.when(pay("t2", "bank", "alice", 10)).rejected("account-frozen");
    assert_eq!(detail(&rejection, "direction"), "credit");
    book.when(pay("t2", "alice", "bob", 10)).happens(1);

    let book = book.and(freeze("alice", FreezeScope::Both));
    book.when(pay("t2", "bank", "alice", 10)).rejected("account-frozen");
    book.when(pay("t2", "alice", "bob", 10)).rejected("account-frozen");
}

#[test]
fn freezing_adds_up_and_unfreezing_takes_away() {
    let book = given(&[freeze("alice", FreezeScope::Debits), freeze("alice", FreezeScope::Credits)]);
    book.when(freeze("alice", FreezeScope::Both)).nothing_happens();
    let book = book.when(unfreeze("alice", FreezeScope::Credits)).happens(1);
    book.when(unfreeze("alice", FreezeScope::Credits)).nothing_happens();
    book.when(freeze("alice", FreezeScope::Debits)).nothing_happens();
    book.when(pay("t1", "bank", "alice", 10)).happens(1);
    book.when(freeze("alice", FreezeScope::Both)).happens(1);
    let book = book.when(unfreeze("alice", FreezeScope::Both)).happens(1);
    book.when(unfreeze("alice", FreezeScope::Debits)).nothing_happens();
}

#[test]
fn unfreezing_what_is_not_frozen_changes_nothing() {
    given(&[]).when(unfreeze("alice", FreezeScope::Both)).nothing_happens();
}

#[test]
fn a_frozen_account_takes_no_reversal_no_hold_and_no_capture_of_the_frozen_side() {
    let book = given(&[
        pay("t1", "bank", "alice", 100),
        hold("h1", "alice", "shop", 10),
        freeze("alice", FreezeScope::Debits),
    ]);
    book.when(reverse("t1", "r1")).rejected("account-frozen");
    book.when(hold("h2", "alice", "shop", 1)).rejected("account-frozen");
    book.when(hold("h2", "bank", "alice", 1)).happens(1);
    book.when(capture("h1", "c1")).rejected("account-frozen");
    // Giving back is no entry.
    book.when(release("h1")).happens(1);
}

#[test]
fn an_account_closes_at_zero_in_every_asset() {
    let book = given(&[pay("t1", "bank", "alice", 100)]);
    let rejection = book.when(close("alice")).rejected("account-not-empty");
    assert_eq!(rejection.to_string(), "account `alice` is not empty: its balance in USD/2 is 100");
    let book = book.and(pay("t2", "alice", "bob", 100));
    let euros = book.clone().and(post("t3", transfer("bank", "alice", "EUR/2", 7)));
    assert_eq!(detail(&euros.when(close("alice")).rejected("account-not-empty"), "asset"), "EUR/2");
    let book = book.when(close("alice")).happens(1);
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
    book.when(close("alice")).happens(1);
    book.when(close("shop")).happens(1);
}

#[test]
fn a_hold_that_would_only_bring_something_in_keeps_an_account_from_closing() {
    let book = given(&[hold("h1", "bank", "alice", 5)]);
    book.when(close("alice")).rejected("account-has-holds");
    book.when(close("bank")).rejected("account-has-holds");
    book.when(close("bob")).happens(1);
}

#[test]
fn a_closed_account_takes_nothing_but_notes() {
    let book = given(&[pay("t1", "bank", "alice", 1), pay("t2", "alice", "bob", 1), close("alice")]);
    book.when(close("alice")).nothing_happens();
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
    book.when(set_metadata(of_account("alice"), json!({"closed": "by request"}))).happens(1);
}

#[test]
fn what_is_so_already_can_be_asked_for_after_the_account_was_closed() {
    let changes = [
        freeze("alice", FreezeScope::Credits),
        set_overdraft("alice", Overdraft::Unlimited),
        set_limits("alice", &[limit("USD/2", None, Some(5))]),
    ];
    let book = given(&changes).and(close("alice"));
    for repeated in changes {
        book.when(repeated).nothing_happens();
    }
    book.when(unfreeze("alice", FreezeScope::Debits)).nothing_happens();
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
