//! The rules of the theatre: given these events, when this command comes, then those events happen.

use chrono::TimeDelta;
use recount_core::EntityName;
use recount_writer::test_kit::{START, given};
use theatre::domain::{Command, Event, Theatre};

fn name(name: &str) -> EntityName {
    name.parse().expect("it is a name")
}

fn announced(seats: u16) -> Event {
    Event::Announced { show: name("hamlet"), seats }
}

fn reserve(guest: &str) -> Command {
    Command::Reserve { show: name("hamlet"), guest: name(guest) }
}

fn reserved(guest: &str, seat: u16) -> Event {
    let until = START + TimeDelta::minutes(15);
    Event::Reserved { show: name("hamlet"), guest: name(guest), seat, until }
}

fn pay(seat: u16) -> Command {
    Command::Pay { show: name("hamlet"), seat }
}

fn lapse(seat: u16) -> Command {
    Command::Lapse { show: name("hamlet"), seat }
}

fn paid(seat: u16) -> Event {
    Event::Paid { show: name("hamlet"), seat }
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
fn a_show_has_to_be_announced_once() {
    given::<Theatre>([]).when(reserve("ann")).then_rejected("no-such-show");
    let again = Command::Announce { show: name("hamlet"), seats: 900 };
    given::<Theatre>([announced(2)]).when(again).then_nothing();
}

#[test]
fn a_reservation_is_paid_in_time_or_lapses() {
    let history = || given::<Theatre>([announced(1), reserved("ann", 1)]);
    history().after(TimeDelta::minutes(14)).when(pay(1)).then([paid(1)]).when(pay(1)).then_nothing();
    history().after(TimeDelta::minutes(15)).when(pay(1)).then_rejected("too-late");
    history()
        .after(TimeDelta::minutes(15))
        .when(lapse(1))
        .then([Event::Lapsed { show: name("hamlet"), seat: 1 }]);
}

#[test]
fn a_reservation_does_not_lapse_early_and_not_once_it_is_paid() {
    given::<Theatre>([announced(1), reserved("ann", 1)]).when(lapse(1)).then_nothing();
    let paid = given::<Theatre>([announced(1), reserved("ann", 1), paid(1)]);
    paid.after(TimeDelta::days(1)).when(lapse(1)).then_nothing();
}

#[test]
fn a_seat_that_lapsed_is_free_again() {
    given::<Theatre>([announced(1), reserved("ann", 1), Event::Lapsed { show: name("hamlet"), seat: 1 }])
        .when(reserve("bob"))
        .then([reserved("bob", 1)]);
    given::<Theatre>([announced(1)]).when(pay(1)).then_rejected("not-reserved");
}
