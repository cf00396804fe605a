//! The rules of the theatre: given these events, when this command comes, then those events happen.

use chrono::{DateTime, TimeDelta, Utc};
use recount_writer::test_kit::given;
use theatre::domain::{Command, Event, Theatre};

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_225_600, 0).expect("the start of 2026 is a time")
}

fn announced(seats: u32) -> Event {
    Event::Announced { show: "hamlet".to_owned(), seats }
}

fn reserve(guest: &str) -> Command {
    Command::Reserve { show: "hamlet".to_owned(), guest: guest.to_owned() }
}

fn reserved(guest: &str, seat: u32) -> Event {
    let until = start() + TimeDelta::minutes(15);
    Event::Reserved { show: "hamlet".to_owned(), guest: guest.to_owned(), seat, until }
}

fn pay(seat: u32) -> Command {
    Command::Pay { show: "hamlet".to_owned(), seat }
}

fn paid(seat: u32) -> Event {
    Event::Paid { show: "hamlet".to_owned(), seat }
}

fn lapse(seat: u32) -> Command {
    Command::Lapse { show: "hamlet".to_owned(), seat }
}

fn lapsed(seat: u32) -> Event {
    Event::Lapsed { show: "hamlet".to_owned(), seat }
}

#[test]
fn every_seat_is_reserved_once() {
    given::<Theatre>([announced(2)])
        .when(reserve("ann"))
        .then([reserved("ann", 1)])
        .when(reserve("bob"))
        .then([reserved("bob", 2)])
        .when(reserve("eve"))
        .then_rejected("sold-out");
}

#[test]
fn a_show_has_to_be_announced() {
    given::<Theatre>([]).when(reserve("ann")).then_rejected("no-such-show");
}

#[test]
fn announcing_a_show_again_changes_nothing() {
    let again = Command::Announce { show: "hamlet".to_owned(), seats: 900 };
    given::<Theatre>([announced(2)]).when(again).then_nothing();
}

#[test]
fn a_reservation_is_paid_in_time_or_lapses() {
    let history = || given::<Theatre>([announced(1), reserved("ann", 1)]);
    history().after(TimeDelta::minutes(14)).when(pay(1)).then([paid(1)]).when(pay(1)).then_nothing();
    history().after(TimeDelta::minutes(15)).when(pay(1)).then_rejected("too-late");
    history().after(TimeDelta::minutes(15)).when(lapse(1)).then([lapsed(1)]);
}

#[test]
fn a_reservation_does_not_lapse_early_and_not_once_it_is_paid() {
    given::<Theatre>([announced(1), reserved("ann", 1)]).when(lapse(1)).then_nothing();
    let paid = given::<Theatre>([announced(1), reserved("ann", 1), paid(1)]);
    paid.after(TimeDelta::days(1)).when(lapse(1)).then_nothing();
}

#[test]
fn a_seat_that_lapsed_is_free_again() {
    given::<Theatre>([announced(1), reserved("ann", 1), lapsed(1)])
        .when(reserve("bob"))
        .then([reserved("bob", 1)]);
    given::<Theatre>([announced(1)]).when(pay(1)).then_rejected("not-reserved");
}
