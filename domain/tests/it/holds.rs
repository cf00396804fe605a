//! Holds: placing, capturing, releasing and expiring them.

use recount_domain::{CaptureHold, Command, HoldStatus, PlaceHold};
use recount_events::ledger::{AccountKind, FreezeScope, LedgerEvent, Overdraft};
use serde_json::json;

use crate::support::*;

const DEADLINE: &str = "2026-01-08T12:00:00Z";
const JUST_BEFORE: &str = "2026-01-08T11:59:59.999999Z";
const LATER: &str = "2026-02-01T00:00:00Z";

/// Alice has 100, of which 60 are held for the shop.
fn held() -> Book {
    given(&[pay("t1", "bank", "alice", 100), hold("h1", "alice", "shop", 60)])
}

/// The same with a deadline.
fn held_until() -> Book {
    given(&[pay("t1", "bank", "alice", 100), hold_until("h1", 60, DEADLINE)])
}

#[test]
fn a_hold_reduces_available_but_not_posted() {
    let book = given(&[pay("t1", "bank", "alice", 100)]);
    let book = book.when(hold("h1", "alice", "shop", 60)).accepted(1);
    assert_eq!((book.figures("alice"), book.figures("shop")), ([100, 60, 0, 40], [0, 0, 60, 0]));
    assert_eq!((book.remaining("h1"), book.hold("h1").status), (Some(60), HoldStatus::Open));
    book.when(pay("t2", "alice", "bob", 41)).rejected("insufficient-funds");
    book.when(pay("t2", "alice", "bob", 40)).accepted(1);
    // An incoming amount is not available.
    book.when(pay("t2", "shop", "bob", 1)).rejected("insufficient-funds");
}

#[test]
fn a_hold_is_recorded_as_sent() {
    let command = PlaceHold {
        expires_at: Some(moment(DEADLINE)),
        metadata: members(json!({"terminal": 7})),
        ..placing("h1", "bank", "alice", 5)
    };
    let book = given(&[]).when(Command::Hold(command.clone())).accepted(1);
    let LedgerEvent::HoldPlaced(placed) = book.last_event() else { panic!("not placed") };
    assert_eq!((&placed.hold, placed.amount), (&command.hold, command.amount));
    assert_eq!((&placed.debit, &placed.credit), (&command.debit, &command.credit));
    assert_eq!((&placed.asset, placed.expires_at), (&command.asset, command.expires_at));
    assert_eq!(placed.metadata, command.metadata);
}

#[test]
fn holds_on_an_account_are_summed() {
    let book = held();
    let rejection = book.when(hold("h2", "alice", "bob", 41)).rejected("insufficient-funds");
    let figures =
        ["posted", "held", "available", "available_after", "minimum"].map(|name| detail(&rejection, name));
    assert_eq!(figures, ["100", "60", "40", "-1", "0"]);
    let book = book.when(hold("h2", "alice", "bob", 40)).accepted(1);
    assert_eq!(book.figures("alice"), [100, 100, 0, 0]);
}

#[test]
fn a_hold_may_use_an_overdraft() {
    let book = given(&[set_overdraft("alice", limited("USD/2", 50))]);
    book.when(hold("h1", "alice", "shop", 51)).rejected("insufficient-funds");
    let book = book.when(hold("h1", "alice", "shop", 50)).accepted(1);
    book.when(pay("t1", "alice", "bob", 1)).rejected("insufficient-funds");
    let book = book.when(capture("h1", "c1")).accepted(1);
    assert_eq!(book.figures("alice"), [-50, 0, 0, -50]);
}

#[test]
fn a_repeated_hold_must_have_the_same_content() {
    let sent = PlaceHold {
        expires_at: Some(moment(DEADLINE)),
        metadata: members(json!({"terminal": 7})),
        ..placing("h1", "bank", "alice", 5)
    };
    let book = given(&[Command::Hold(sent.clone())]);
    let differs = |field: &str, change: fn(&mut PlaceHold)| {
        let rejection = book.when(Command::Hold(with(sent.clone(), change))).rejected("hold-conflict");
        assert_eq!(rejection.to_string(), format!("hold `h1` already exists with a different `{field}`"));
    };
    differs("debit", |hold| hold.debit = "bob".parse().unwrap());
    differs("credit", |hold| hold.credit = "bob".parse().unwrap());
    differs("asset", |hold| hold.asset = "EUR/2".parse().unwrap());
    differs("amount", |hold| hold.amount = amount(6));
    differs("expires_at", |hold| hold.expires_at = None);
    differs("metadata", |hold| hold.metadata = members(json!({})));
    differs("debit", |hold| *hold = placing("h1", "bob", "shop", 9));
}

#[test]
fn a_hold_can_be_repeated_whatever_its_status() {
    let again = || hold_until("h1", 60, DEADLINE);
    let book = held_until();
    book.clone().and(capture_amount("h1", "c1", 10)).when(again()).has_no_effect();
    book.clone().and(capture("h1", "c1")).when(again()).has_no_effect();
    book.clone().and(release("h1")).when(again()).has_no_effect();
    let book = book.at(LATER);
    book.when(again()).has_no_effect();
    book.and(expire("h1")).when(again()).has_no_effect();
}

#[test]
fn a_deadline_must_be_in_the_future() {
    let book = given(&[pay("t1", "bank", "alice", 100)]);
    for past in ["2026-01-01T12:00:00Z", "2026-01-01T11:59:59.999999Z", "2020-01-01T00:00:00Z"] {
        let rejection = book.when(hold_until("h1", 60, past)).rejected("deadline-passed");
        assert_eq!(moment(&detail(&rejection, "expires_at")), moment(past));
        assert_eq!(detail(&rejection, "now"), "2026-01-01T12:00:00Z");
    }
    book.when(hold_until("h1", 60, "2026-01-01T12:00:00.000001Z")).accepted(1);
}

#[test]
fn a_capture_without_an_amount_takes_the_remaining_amount() {
    let book = held().when(capture("h1", "c1")).accepted(1);
    assert_eq!((book.figures("alice"), book.figures("shop")), ([40, 0, 0, 40], [60, 0, 0, 60]));
    assert_eq!((book.remaining("h1"), book.hold("h1").status), (None, HoldStatus::Captured));
    let posted = book.last_transaction();
    assert_eq!(posted.entries, transfer("alice", "shop", "USD/2", 60));
    let captures = posted.captures.clone().unwrap();
    assert_eq!((captures.hold.as_str(), captures.remaining, captures.released), ("h1", None, None));
    assert_eq!(posted.effective_at, now());
}

#[test]
fn a_hold_can_be_captured_in_parts_until_nothing_remains() {
    let book = held().when(capture_amount("h1", "c1", 20)).accepted(1);
    assert_eq!((book.figures("alice"), book.figures("shop")), ([80, 40, 0, 40], [20, 0, 40, 20]));
    assert_eq!((book.remaining("h1"), book.hold("h1").status), (Some(40), HoldStatus::Open));
    assert_eq!(book.last_transaction().captures.clone().unwrap().remaining, Some(amount(40)));

    let rejection = book.when(capture_amount("h1", "c2", 41)).rejected("hold-exceeded");
    assert_eq!(rejection.to_string(), "hold `h1` has 40 remaining, which is less than 41");
    let book = book.when(capture_amount("h1", "c2", 39)).accepted(1);
    let book = book.when(capture("h1", "c3")).accepted(1);
    assert_eq!((book.figures("alice"), book.figures("shop")), ([40, 0, 0, 40], [60, 0, 0, 60]));
    let rejection = book.when(capture_amount("h1", "c4", 1)).rejected("hold-closed");
    assert_eq!(rejection.to_string(), "hold `h1` is closed: it was captured");
    book.when(release("h1")).rejected("hold-closed");
    book.when(expire("h1")).rejected("hold-closed");
}

#[test]
fn capturing_exactly_the_remaining_amount_closes_the_hold() {
    let book = held().when(capture_amount("h1", "c1", 60)).accepted(1);
    assert_eq!((book.remaining("h1"), book.hold("h1").status), (None, HoldStatus::Captured));
    held().when(capture_amount("h1", "c1", 61)).rejected("hold-exceeded");
}

#[test]
fn a_final_capture_releases_the_remaining_amount() {
    let book = held().and(capture_amount("h1", "c1", 10)).when(capture_last("h1", "c2", 20)).accepted(1);
    assert_eq!((book.figures("alice"), book.figures("shop")), ([70, 0, 0, 70], [30, 0, 0, 30]));
    assert_eq!((book.remaining("h1"), book.hold("h1").status), (None, HoldStatus::Captured));
    let captures = book.last_transaction().captures.clone().unwrap();
    assert_eq!((captures.remaining, captures.released), (None, Some(amount(30))));
    book.when(capture("h1", "c3")).rejected("hold-closed");
}

#[test]
fn final_makes_no_difference_to_a_full_capture() {
    let all = |amount: Option<i128>, is_final: bool| {
        let amount = amount.map(crate::support::amount);
        Command::Capture(CaptureHold { amount, is_final, ..capturing("h1", "c1") })
    };
    let ways = [all(None, false), all(None, true), all(Some(60), false), all(Some(60), true)];
    for first in &ways {
        let book = held().when(first.clone()).accepted(1);
        let captures = book.last_transaction().captures.clone().unwrap();
        assert_eq!((captures.remaining, captures.released), (None, None));
        for again in &ways {
            book.when(again.clone()).has_no_effect();
        }
    }
}

#[test]
fn a_capture_is_recorded_as_sent() {
    let command = CaptureHold {
        effective_at: Some(moment("2025-12-31T00:00:00Z")),
        reference: Some("order 1".parse().unwrap()),
        metadata: members(json!({"terminal": 7})),
        ..capturing("h1", "c1")
    };
    let book = held().when(Command::Capture(command.clone())).accepted(1);
    let posted = book.last_transaction();
    assert_eq!(
        (&posted.transaction, Some(posted.effective_at)),
        (&command.transaction, command.effective_at)
    );
    assert_eq!((&posted.reference, &posted.metadata), (&command.reference, &command.metadata));
    assert_eq!(posted.reverses, None);
}

#[test]
fn a_repeated_capture_must_have_the_same_content() {
    let sent = CaptureHold {
        amount: Some(amount(10)),
        effective_at: Some(moment("2025-12-31T00:00:00Z")),
        reference: Some("order 1".parse().unwrap()),
        metadata: members(json!({"terminal": 7})),
        ..capturing("h1", "c1")
    };
    let book = held().and(hold("h2", "alice", "shop", 10)).and(Command::Capture(sent.clone()));
    let differs = |field: &str, change: fn(&mut CaptureHold)| {
        let command = Command::Capture(with(sent.clone(), change));
        let rejection = book.when(command).rejected("transaction-conflict");
        assert_eq!(detail(&rejection, "field"), field);
    };
    differs("hold", |capture| capture.hold = "h2".parse().unwrap());
    differs("hold", |capture| capture.hold = "nothing".parse().unwrap());
    differs("final", |capture| capture.is_final = true);
    differs("amount", |capture| capture.amount = None);
    differs("amount", |capture| capture.amount = Some(amount(11)));
    differs("effective_at", |capture| capture.effective_at = Some(now()));
    differs("reference", |capture| capture.reference = None);
    differs("metadata", |capture| capture.metadata = members(json!({})));
}

#[test]
fn a_repeated_final_capture_must_be_final_and_have_the_same_amount() {
    let book = held().and(capture_last("h1", "c1", 10));
    let rejection = book.when(capture_amount("h1", "c1", 10)).rejected("transaction-conflict");
    assert_eq!(detail(&rejection, "field"), "final");
    let all = CaptureHold { is_final: true, ..capturing("h1", "c1") };
    let rejection = book.when(Command::Capture(all)).rejected("transaction-conflict");
    assert_eq!(detail(&rejection, "field"), "amount");
}

#[test]
fn a_capture_can_be_repeated_whatever_the_status_of_the_hold() {
    let book = held_until().and(capture_amount("h1", "c1", 10));
    book.clone().and(capture("h1", "c2")).when(capture_amount("h1", "c1", 10)).has_no_effect();
    book.clone().and(release("h1")).when(capture_amount("h1", "c1", 10)).has_no_effect();
    let book = book.at(LATER);
    book.when(capture_amount("h1", "c1", 10)).has_no_effect();
    book.and(expire("h1")).when(capture_amount("h1", "c1", 10)).has_no_effect();
}

#[test]
fn a_capture_cannot_use_the_id_of_another_transaction() {
    let book = held();
    let rejection = book.when(capture("h1", "t1")).rejected("transaction-conflict");
    assert_eq!(detail(&rejection, "field"), "hold");
    let rejection = book.when(capture("nothing", "t1")).rejected("transaction-conflict");
    assert_eq!(detail(&rejection, "field"), "hold");
    book.when(capture("nothing", "c1")).rejected("hold-unknown");
}

/// The limits were checked when the hold was placed. Captures ignore later changes.
#[test]
fn an_open_hold_can_be_captured_after_limits_were_tightened() {
    let book = given(&[
        open_with("carol", AccountKind::Liability, Overdraft::Unlimited),
        hold("h1", "carol", "alice", 60),
        set_overdraft("carol", Overdraft::None),
        set_limits("carol", &[limit("USD/2", Some(1_000), None)]),
        set_limits("alice", &[limit("USD/2", None, Some(10))]),
    ]);
    book.when(capture_amount("h1", "c1", 59)).accepted(1);
    book.when(capture("h1", "c1")).accepted(1);
    book.when(capture_last("h1", "c1", 1)).accepted(1);
}

#[test]
fn the_effective_time_of_a_capture_is_checked() {
    let book = held().and(close_period("2025-12-31T23:59:59.999999Z"));
    let early = CaptureHold { effective_at: Some(moment("2025-12-31T00:00:00Z")), ..capturing("h1", "c1") };
    book.when(Command::Capture(early)).rejected("period-closed");
    book.when(capture("h1", "c1")).accepted(1);
}

#[test]
fn a_release_frees_the_remaining_amount() {
    let book = held().and(capture_amount("h1", "c1", 20)).when(release("h1")).accepted(1);
    let LedgerEvent::HoldReleased(released) = book.last_event() else { panic!("not released") };
    assert_eq!((released.hold.as_str(), released.amount), ("h1", amount(40)));
    assert_eq!((released.debit.as_str(), released.credit.as_str()), ("alice", "shop"));
    assert_eq!(released.asset.as_str(), "USD/2");
    assert_eq!((book.figures("alice"), book.figures("shop")), ([80, 0, 0, 80], [20, 0, 0, 20]));
    assert_eq!((book.remaining("h1"), book.hold("h1").status), (None, HoldStatus::Released));
    let rejection = book.when(capture("h1", "c2")).rejected("hold-closed");
    assert_eq!(detail(&rejection, "hold_status"), "released");
    book.when(expire("h1")).rejected("hold-closed");
    book.at(LATER).when(release("h1")).has_no_effect();
}

#[test]
fn a_hold_can_be_used_until_just_before_its_deadline() {
    let book = held_until().at(JUST_BEFORE);
    let rejection = book.when(expire("h1")).rejected("hold-not-due");
    assert_eq!(rejection.to_string(), "hold `h1` has not reached its deadline");
    book.when(capture("h1", "c1")).accepted(1);
    book.when(capture_last("h1", "c1", 1)).accepted(1);
    book.when(release("h1")).accepted(1);
}

#[test]
fn a_hold_expires_at_its_deadline_even_before_the_event_is_recorded() {
    let book = held_until().at(DEADLINE);
    let rejection = book.when(capture("h1", "c1")).rejected("hold-expired");
    assert_eq!(rejection.to_string(), "hold `h1` expired at 2026-01-08T12:00:00Z");
    book.when(release("h1")).rejected("hold-expired");
    // The amount stays held until the expiry is recorded.
    assert_eq!(book.figures("alice"), [100, 60, 0, 40]);

    let book = book.when(expire("h1")).accepted(1);
    let LedgerEvent::HoldExpired(expired) = book.last_event() else { panic!("not expired") };
    assert_eq!((expired.hold.as_str(), expired.amount), ("h1", amount(60)));
    assert_eq!((expired.debit.as_str(), expired.credit.as_str()), ("alice", "shop"));
    assert_eq!(expired.asset.as_str(), "USD/2");
    assert_eq!((book.figures("alice"), book.figures("shop")), ([100, 0, 0, 100], [0, 0, 0, 0]));
    assert_eq!((book.remaining("h1"), book.hold("h1").status), (None, HoldStatus::Expired));
    let rejection = book.when(capture("h1", "c1")).rejected("hold-expired");
    assert_eq!(detail(&rejection, "expired_at"), "2026-01-08T12:00:00Z");
    book.when(release("h1")).rejected("hold-expired");
    // Even if the clock goes back.
    book.at(JUST_BEFORE).when(capture("h1", "c1")).rejected("hold-expired");
}

#[test]
fn only_the_remaining_amount_expires() {
    let book = held_until().and(capture_amount("h1", "c1", 20)).at(LATER).when(expire("h1")).accepted(1);
    let LedgerEvent::HoldExpired(expired) = book.last_event() else { panic!("not expired") };
    assert_eq!(expired.amount, amount(40));
    assert_eq!(book.figures("alice"), [80, 0, 0, 80]);
}

#[test]
fn a_captured_or_released_hold_never_expires() {
    for (end, status) in [(capture("h1", "c1"), "captured"), (release("h1"), "released")] {
        let book = held_until().and(end).at(LATER);
        let rejection = book.when(expire("h1")).rejected("hold-closed");
        assert_eq!(detail(&rejection, "hold_status"), status);
        let rejection = book.when(capture("h1", "c2")).rejected("hold-closed");
        assert_eq!(detail(&rejection, "hold_status"), status);
    }
}

#[test]
fn a_hold_without_a_deadline_never_expires() {
    let book = held().at("2126-01-01T00:00:00Z");
    book.when(expire("h1")).rejected("hold-not-due");
    book.when(capture("h1", "c1")).accepted(1);
}

#[test]
fn the_amount_of_an_expired_hold_can_be_held_again() {
    let book = held_until().at(LATER);
    book.when(hold("h2", "alice", "shop", 41)).rejected("insufficient-funds");
    book.and(expire("h1")).when(hold("h2", "alice", "shop", 100)).accepted(1);
}

#[test]
fn an_unknown_hold_cannot_be_used() {
    for command in [capture("nothing", "c1"), release("nothing"), expire("nothing")] {
        let rejection = held().when(command).rejected("hold-unknown");
        assert_eq!(rejection.to_string(), "hold `nothing` does not exist in this ledger");
    }
}

#[test]
fn the_accounts_of_a_hold_must_accept_it() {
    let book = given(&[pay("t1", "bank", "alice", 100), close("bob"), freeze("shop", FreezeScope::Credits)]);
    book.when(hold("h1", "alice", "bob", 1)).rejected("account-closed");
    book.when(hold("h1", "alice", "shop", 1)).rejected("account-frozen");
    book.when(hold("h1", "alice", "nobody", 1)).rejected("account-unknown");
    let pounds = |asset: &str| {
        Command::Hold(PlaceHold { asset: asset.parse().unwrap(), ..placing("h1", "alice", "bank", 1) })
    };
    book.when(pounds("GBP/2")).rejected("asset-unknown");
    book.when(pounds("USD/3")).rejected("asset-scale-differs");
}

#[test]
fn reversing_a_capture_does_not_reopen_the_hold() {
    let book = held().and(capture("h1", "c1")).when(reverse("c1", "r1")).accepted(1);
    assert_eq!((book.figures("alice"), book.figures("shop")), ([100, 0, 0, 100], [0, 0, 0, 0]));
    book.when(capture("h1", "c2")).rejected("hold-closed");
    book.when(capture("h1", "c1")).has_no_effect();
}
