//! The rules of a theatre that sells seats. Pure: no clock, no database, no HTTP.
//!
//! A seat is reserved for a guest until a moment. It has to be paid by then, or the reservation lapses.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use recount_core::{EntityName, Tag};
use recount_writer::{DeadlineChange, Domain, Encoded, Find, Refusal, Undecodable};
use serde::{Deserialize, Serialize};

/// How long a guest has to pay.
const PAYMENT_TIMEOUT: TimeDelta = TimeDelta::minutes(15);

#[derive(Debug)]
pub struct Theatre;

/// A request, as clients send it: `{"command": "reserve", "data": {"show": "hamlet", "guest": "ann"}}`. The engine sends
/// `lapse` by itself.
#[derive(Debug, Deserialize)]
#[serde(tag = "command", content = "data", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    Announce { show: EntityName, seats: u16 },
    Reserve { show: EntityName, guest: EntityName },
    Pay { show: EntityName, seat: u16 },
    Lapse { show: EntityName, seat: u16 },
}

/// Something that happened, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Event {
    Announced { show: EntityName, seats: u16 },
    Reserved { show: EntityName, guest: EntityName, seat: u16, until: DateTime<Utc> },
    Paid { show: EntityName, seat: u16 },
    Lapsed { show: EntityName, seat: u16 },
}

/// The state of a show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Show {
    seats: u16,
    taken: BTreeMap<u16, Seat>,
}

/// A seat that is not free. Without `until` it is paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seat {
    guest: EntityName,
    until: Option<DateTime<Utc>>,
}

#[derive(Debug)]
pub enum Rejection {
    NoSuchShow(EntityName),
    SoldOut,
    NotReserved,
    TooLate,
}

impl Command {
    fn show(&self) -> &EntityName {
        match self {
            Command::Announce { show, .. }
            | Command::Reserve { show, .. }
            | Command::Pay { show, .. }
            | Command::Lapse { show, .. } => show,
        }
    }
}

impl Event {
    pub fn show(&self) -> &EntityName {
        match self {
            Event::Announced { show, .. }
            | Event::Reserved { show, .. }
            | Event::Paid { show, .. }
            | Event::Lapsed { show, .. } => show,
        }
    }
}

fn show_tag(show: &EntityName) -> Tag {
    Tag::new("show", show.as_str())
}

fn deadline_name(show: &EntityName, seat: u16) -> String {
    format!("{seat}:{show}")
}

impl Domain for Theatre {
    type Command = Command;
    type Event = Event;
    type Entity = Show;
    type Rejection = Rejection;
    type Answer<'a> = ();
    type Explanation = ();

    const SNAPSHOT_VERSION: i16 = 1;

    fn needs(command: &Command, _find: Find<'_, Show>) -> Vec<Tag> {
        vec![show_tag(command.show())]
    }

    fn decide(command: &Command, find: Find<'_, Show>, now: DateTime<Utc>) -> Result<Vec<Event>, Rejection> {
        let name = command.show().clone();
        let state = find(&show_tag(&name));
        let show = || state.ok_or_else(|| Rejection::NoSuchShow(name.clone()));
        match command {
            Command::Announce { .. } if state.is_some() => Ok(vec![]),
            Command::Announce { seats, .. } => Ok(vec![Event::Announced { show: name, seats: *seats }]),
            Command::Reserve { guest, .. } => {
                let show = show()?;
                let seat = (1..=show.seats).find(|seat| !show.taken.contains_key(seat));
                let seat = seat.ok_or(Rejection::SoldOut)?;
                let until = now + PAYMENT_TIMEOUT;
                Ok(vec![Event::Reserved { show: name.clone(), guest: guest.clone(), seat, until }])
            }
            Command::Pay { seat, .. } => match show()?.taken.get(seat).ok_or(Rejection::NotReserved)?.until {
                None => Ok(vec![]),
                Some(until) if until <= now => Err(Rejection::TooLate),
                Some(_) => Ok(vec![Event::Paid { show: name.clone(), seat: *seat }]),
            },
            Command::Lapse { seat, .. } => {
                let until = show()?.taken.get(seat).and_then(|seat| seat.until);
                let due = until.filter(|until| *until <= now);
                Ok(due.iter().map(|_| Event::Lapsed { show: name.clone(), seat: *seat }).collect())
            }
        }
    }

    fn evolve(_tag: &Tag, state: &mut Option<Show>, event: &Event) {
        match (event, state.as_mut()) {
            (Event::Announced { seats, .. }, _) => {
                *state = Some(Show { seats: *seats, taken: BTreeMap::new() });
            }
            (Event::Reserved { guest, seat, until, .. }, Some(show)) => {
                show.taken.insert(*seat, Seat { guest: guest.clone(), until: Some(*until) });
            }
            (Event::Paid { seat, .. }, Some(show)) => {
                show.taken.entry(*seat).and_modify(|seat| seat.until = None);
            }
            (Event::Lapsed { seat, .. }, Some(show)) => drop(show.taken.remove(seat)),
            (_, None) => {}
        }
    }

    fn encode(event: &Event) -> Encoded {
        let event_type = match event {
            Event::Announced { .. } => "announced",
            Event::Reserved { .. } => "reserved",
            Event::Paid { .. } => "paid",
            Event::Lapsed { .. } => "lapsed",
        };
        Encoded::json(event_type, 1, vec![show_tag(event.show())], event)
    }

    fn decode(_event_type: &str, _version: i16, data: &str) -> Result<Event, Undecodable> {
        Ok(serde_json::from_str(data)?)
    }

    fn answer(_command: &Command) {}

    fn refusal(rejection: &Rejection) -> Refusal {
        match rejection {
            Rejection::NoSuchShow(show) => {
                Refusal::new("no-such-show", format!("No show `{show}` was announced."))
                    .with("show", show.as_str())
            }
            Rejection::SoldOut => Refusal::new("sold-out", "Every seat is reserved."),
            Rejection::NotReserved => Refusal::new("not-reserved", "The seat is not reserved."),
            Rejection::TooLate => Refusal::new("too-late", "The reservation has lapsed."),
        }
    }

    fn deadlines(event: &Event) -> Vec<DeadlineChange> {
        match event {
            Event::Announced { .. } => vec![],
            Event::Reserved { show, seat, until, .. } => {
                vec![DeadlineChange::Set { name: deadline_name(show, *seat), at: *until }]
            }
            Event::Paid { show, seat } | Event::Lapsed { show, seat } => {
                vec![DeadlineChange::Clear { name: deadline_name(show, *seat) }]
            }
        }
    }

    fn when_due(name: &str) -> Option<Command> {
        let (seat, show) = name.split_once(':')?;
        Some(Command::Lapse { show: show.parse().ok()?, seat: seat.parse().ok()? })
    }
}
