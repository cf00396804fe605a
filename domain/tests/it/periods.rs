//! Effective times: the window, and closed periods.

use recount_domain::{CaptureHold, Command};
use recount_events::ledger::LedgerEvent;

use crate::support::*;

#[test]
fn without_a_window_any_effective_time_is_accepted() {
    let book = given(&[]);
    book.when(pay_at("t1", "0001-01-01T00:00:00Z")).accepted(1);
    book.when(pay_at("t1", "9999-12-31T23:59:59.999999Z")).accepted(1);
}

#[test]
fn the_window_is_whole_days_around_today() {
    let book = given(&[set_window(Some(30), Some(2))]);
    for (at, code) in [
        ("2025-12-01T23:59:59.999999Z", Some("effective-too-early")),
        ("2025-12-02T00:00:00Z", None),
        ("2026-01-03T23:59:59.999999Z", None),
        ("2026-01-04T00:00:00Z", Some("effective-too-late")),
    ] {
        match code {
            None => drop(book.when(pay_at("t1", at)).accepted(1)),
            Some(code) => drop(book.when(pay_at("t1", at)).rejected(code)),
        }
    }
    let rejection = book.when(pay_at("t1", "2025-12-01T00:00:00Z")).rejected("effective-too-early");
    assert_eq!(
        rejection.to_string(),
        "effective time 2025-12-01T00:00:00Z is too early: this ledger accepts effective times from 2025-12-02T00:00:00Z"
    );
    let rejection = book.when(pay_at("t1", "2026-01-04T00:00:00Z")).rejected("effective-too-late");
    assert_eq!(
        rejection.to_string(),
        "effective time 2026-01-04T00:00:00Z is too late: this ledger accepts effective times before 2026-01-04T00:00:00Z"
    );
}

#[test]
fn the_window_moves_with_the_day_and_not_with_the_hour() {
    let command = |at: &str| pay_at("t1", at);
    for time in ["2026-01-01T00:00:00Z", "2026-01-01T23:59:59.999999Z"] {
        let book = given(&[set_window(Some(0), Some(0))]).at(time);
        book.when(command("2025-12-31T23:59:59.999999Z")).rejected("effective-too-early");
        book.when(command("2026-01-01T00:00:00Z")).accepted(1);
        book.when(command("2026-01-01T23:59:59.999999Z")).accepted(1);
        book.when(command("2026-01-02T00:00:00Z")).rejected("effective-too-late");
    }
}

#[test]
fn a_window_may_limit_one_side_only_and_be_of_any_width() {
    let book = given(&[set_window(Some(0), None)]);
    book.when(pay_at("t1", "9000-01-01T00:00:00Z")).accepted(1);
    book.when(pay_at("t1", "2025-12-31T00:00:00Z")).rejected("effective-too-early");
    let book = given(&[set_window(None, Some(0))]);
    book.when(pay_at("t1", "0001-01-01T00:00:00Z")).accepted(1);
    book.when(pay_at("t1", "2026-01-02T00:00:00Z")).rejected("effective-too-late");
    let book = given(&[set_window(Some(u32::MAX), Some(u32::MAX))]);
    book.when(pay_at("t1", "0001-01-01T00:00:00Z")).accepted(1);
    book.when(pay_at("t1", "9999-01-01T00:00:00Z")).accepted(1);
}

#[test]
fn a_window_is_set_and_removed() {
    let book = given(&[]);
    book.when(set_window(None, None)).has_no_effect();
    let book = book.when(set_window(Some(1), None)).accepted(1);
    book.when(set_window(Some(1), None)).has_no_effect();
    book.when(set_window(Some(1), Some(0))).accepted(1);
    let book = book.when(set_window(None, None)).accepted(1);
    book.when(pay_at("t1", "2000-01-01T00:00:00Z")).accepted(1);
}

#[test]
fn the_time_of_recording_is_in_every_window_and_open_period() {
    let book = given(&[
        set_window(Some(0), Some(0)),
        close_period("2026-01-01T11:59:59.999999Z"),
        pay("t1", "bank", "alice", 5),
        hold("h1", "alice", "shop", 1),
    ]);
    book.when(reverse("t1", "r1")).rejected("insufficient-funds");
    book.when(capture("h1", "c1")).accepted(1);
    book.when(reverse_amount("t1", "r1", 1)).accepted(1);
}

#[test]
fn a_period_is_closed_through_its_last_moment() {
    let book = given(&[]).when(close_period("2025-12-31T23:59:59.999999Z")).accepted(1);
    let rejection = book.when(pay_at("t1", "2025-12-31T23:59:59.999999Z")).rejected("period-closed");
    assert_eq!(
        rejection.to_string(),
        "effective time 2025-12-31T23:59:59.999999Z lies in a closed period: the books are closed through \
         2025-12-31T23:59:59.999999Z"
    );
    book.when(pay_at("t1", "2020-01-01T00:00:00Z")).rejected("period-closed");
    book.when(pay_at("t1", "2026-01-01T00:00:00Z")).accepted(1);
    let book = book.and(pay("t0", "bank", "alice", 5)).and(hold("h1", "alice", "shop", 1));
    let early = CaptureHold { effective_at: Some(moment("2025-12-31T00:00:00Z")), ..capturing("h1", "c1") };
    book.when(Command::Capture(early)).rejected("period-closed");
}

#[test]
fn only_a_period_that_has_ended_can_be_closed() {
    let book = given(&[]);
    let rejection = book.when(close_period("2026-01-01T12:00:00Z")).rejected("period-not-over");
    assert_eq!(
        rejection.to_string(),
        "the period through 2026-01-01T12:00:00Z has not ended: the current time is 2026-01-01T12:00:00Z"
    );
    book.when(close_period("2027-01-01T00:00:00Z")).rejected("period-not-over");
    let book = book.when(close_period("2026-01-01T11:59:59.999999Z")).accepted(1);
    // Transactions that take effect now can still be posted.
    book.when(pay("t1", "bank", "alice", 1)).accepted(1);
    book.when(pay_at("t1", "2026-01-01T12:00:00Z")).accepted(1);
}

#[test]
fn closing_an_earlier_period_changes_nothing() {
    let book = given(&[close_period("2025-06-30T23:59:59Z")]);
    book.when(close_period("2025-06-30T23:59:59Z")).has_no_effect();
    book.when(close_period("2025-01-31T23:59:59Z")).has_no_effect();
    let book = book.when(close_period("2025-07-31T23:59:59Z")).accepted(1);
    book.when(pay_at("t1", "2025-07-31T23:59:59Z")).rejected("period-closed");
    let LedgerEvent::PeriodClosed(closed) = book.last_event() else { panic!("not closed") };
    assert_eq!(closed.through, moment("2025-07-31T23:59:59Z"));
}

#[test]
fn a_period_is_reopened_from_a_moment_on() {
    let book = given(&[close_period("2025-12-31T23:59:59.999999Z")]);
    let book = book.when(reopen_period("2025-12-01T00:00:00Z")).accepted(1);
    let LedgerEvent::PeriodReopened(reopened) = book.last_event() else { panic!("not reopened") };
    assert_eq!(reopened.from, moment("2025-12-01T00:00:00Z"));
    book.when(pay_at("t1", "2025-12-01T00:00:00Z")).accepted(1);
    book.when(pay_at("t1", "2025-12-31T23:59:59.999999Z")).accepted(1);
    let rejection = book.when(pay_at("t1", "2025-11-30T23:59:59.999999Z")).rejected("period-closed");
    assert_eq!(detail(&rejection, "closed_through"), "2025-11-30T23:59:59.999999Z");
    book.when(close_period("2025-12-31T23:59:59.999999Z")).accepted(1);
}

#[test]
fn reopening_an_open_period_changes_nothing() {
    given(&[]).when(reopen_period("2025-01-01T00:00:00Z")).has_no_effect();
    let book = given(&[close_period("2025-06-30T00:00:00Z")]);
    book.when(reopen_period("2025-06-30T00:00:00.000001Z")).has_no_effect();
    book.when(reopen_period("2025-07-01T00:00:00Z")).has_no_effect();
    let book = book.when(reopen_period("2025-06-30T00:00:00Z")).accepted(1);
    book.when(pay_at("t1", "2025-06-30T00:00:00Z")).accepted(1);
    book.when(pay_at("t1", "2025-06-29T23:59:59.999999Z")).rejected("period-closed");
}

#[test]
fn a_transaction_can_be_repeated_after_its_period_was_closed() {
    let book = given(&[pay_at("t1", "2025-06-01T00:00:00Z"), close_period("2025-06-30T00:00:00Z")]);
    book.when(pay_at("t1", "2025-06-01T00:00:00Z")).has_no_effect();
}
