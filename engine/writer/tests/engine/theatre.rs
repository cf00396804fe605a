//! A theatre that sells seats: a small domain for testing the engine.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use recount_core::Tag;
use recount_writer::{DeadlineChange, Domain, Encoded, Find, Refusal, Undecodable};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Theatre;

#[derive(Clone, Debug)]
pub(crate) enum Command {
    Announce {
        show: String,
        seats: u32,
    },
    /// With `until`, the reservation lapses at that time unless it is confirmed.
    Reserve {
        show: String,
        guest: String,
        until: Option<DateTime<Utc>>,
    },
    Confirm {
        show: String,
        seat: u32,
    },
    /// The command that the engine submits when a reservation falls due.
    Lapse {
        show: String,
        seat: u32,
    },
    /// Closes the box office of a show. While it is closed, commands for the show are rejected.
    Close {
        show: String,
    },
    Open {
        show: String,
    },
    /// Reserves a seat for a friend in the show that the guest went to last: reads one entity through another.
    Follow {
        guest: String,
        show: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub(crate) enum Event {
    Announced {
        show: String,
        seats: u32,
    },
    Reserved {
        show: String,
        guest: String,
        seat: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<DateTime<Utc>>,
    },
    Confirmed {
        show: String,
        seat: u32,
    },
    Lapsed {
        show: String,
        seat: u32,
    },
    Closed {
        show: String,
    },
    Opened {
        show: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Entity {
    Show { seats: u32, taken: BTreeMap<u32, Seat>, closed: bool },
    Guest { last_show: String },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seat {
    pub(crate) guest: String,
    /// When the reservation lapses, unless it is confirmed before.
    pub(crate) until: Option<DateTime<Utc>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rejection {
    NoShow,
    SoldOut,
    NeverHere,
    NotReserved,
    Closed,
}

pub(crate) fn show_tag(show: &str) -> Tag {
    Tag::new("show", show)
}

pub(crate) fn guest_tag(guest: &str) -> Tag {
    Tag::new("guest", guest)
}

fn tags(event: &Event) -> Vec<Tag> {
    match event {
        Event::Announced { show, .. }
        | Event::Confirmed { show, .. }
        | Event::Lapsed { show, .. }
        | Event::Closed { show }
        | Event::Opened { show } => vec![show_tag(show)],
        Event::Reserved { show, guest, .. } => vec![show_tag(show), guest_tag(guest)],
    }
}

/// The play whose name brings bad luck in a theatre: deciding a command for its seats panics.
pub(crate) const CURSED: &str = "Macbeth";

/// The show, if its box office is open.
fn open_show<'a>(show: &str, find: Find<'a, Entity>) -> Result<(u32, &'a BTreeMap<u32, Seat>), Rejection> {
    assert_ne!(show, CURSED, "somebody said its name");
    match find(&show_tag(show)) {
        Some(Entity::Show { closed: true, .. }) => Err(Rejection::Closed),
        Some(Entity::Show { seats, taken, .. }) => Ok((*seats, taken)),
        _ => Err(Rejection::NoShow),
    }
}

fn reserve(
    show: &str,
    guest: &str,
    until: Option<DateTime<Utc>>,
    find: Find<'_, Entity>,
) -> Result<Vec<Event>, Rejection> {
    let (seats, taken) = open_show(show, find)?;
    let seat = (1..=seats).find(|seat| !taken.contains_key(seat)).ok_or(Rejection::SoldOut)?;
    Ok(vec![Event::Reserved { show: show.to_owned(), guest: guest.to_owned(), seat, until }])
}

fn confirm(show: &str, seat: u32, find: Find<'_, Entity>) -> Result<Vec<Event>, Rejection> {
    let (_, taken) = open_show(show, find)?;
    let Seat { until, .. } = taken.get(&seat).ok_or(Rejection::NotReserved)?;
    Ok(until.iter().map(|_| Event::Confirmed { show: show.to_owned(), seat }).collect())
}

fn lapse(show: &str, seat: u32, find: Find<'_, Entity>, now: DateTime<Utc>) -> Result<Vec<Event>, Rejection> {
    let (_, taken) = open_show(show, find)?;
    let until = taken.get(&seat).and_then(|seat| seat.until).filter(|until| *until <= now);
    Ok(until.iter().map(|_| Event::Lapsed { show: show.to_owned(), seat }).collect())
}

/// Closes or opens a box office, unless it is closed or open already.
fn set_closed(show: &str, close: bool, find: Find<'_, Entity>) -> Result<Vec<Event>, Rejection> {
    let show = show.to_owned();
    match find(&show_tag(&show)) {
        Some(Entity::Show { closed, .. }) if *closed == close => Ok(vec![]),
        Some(Entity::Show { .. }) if close => Ok(vec![Event::Closed { show }]),
        Some(Entity::Show { .. }) => Ok(vec![Event::Opened { show }]),
        _ => Err(Rejection::NoShow),
    }
}

/// The name of the deadline of a seat.
pub(crate) fn deadline_name(show: &str, seat: u32) -> String {
    format!("seat:{show}:{seat}")
}

fn free_seats(entity: Option<&Entity>) -> Option<usize> {
    match entity {
        Some(Entity::Show { seats, taken, .. }) => Some(*seats as usize - taken.len()),
        _ => None,
    }
}

fn last_show(entity: Option<&Entity>) -> Option<&str> {
    match entity {
        Some(Entity::Guest { last_show }) => Some(last_show),
        _ => None,
    }
}

impl Domain for Theatre {
    type Command = Command;
    type Event = Event;
    type Entity = Entity;
    type Rejection = Rejection;
    type Answer<'a> = ();
    type Explanation = Map<String, Value>;

    const SNAPSHOT_VERSION: i16 = 1;

    fn needs(command: &Command, find: Find<'_, Entity>) -> Vec<Tag> {
        match command {
            Command::Announce { show, .. }
            | Command::Reserve { show, .. }
            | Command::Confirm { show, .. }
            | Command::Lapse { show, .. }
            | Command::Close { show }
            | Command::Open { show } => vec![show_tag(show)],
            Command::Follow { guest, .. } => {
                let mut needs = vec![guest_tag(guest)];
                if let Some(Entity::Guest { last_show }) = find(&guest_tag(guest)) {
                    needs.push(show_tag(last_show));
                }
                needs
            }
        }
    }

    fn needs_more_when_loaded(command: &Command) -> bool {
        matches!(command, Command::Follow { .. })
    }

    fn decide(
        command: &Command,
        find: Find<'_, Entity>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Announce { show, seats } => match find(&show_tag(show)) {
                Some(_) => Ok(vec![]),
                None => Ok(vec![Event::Announced { show: show.clone(), seats: *seats }]),
            },
            Command::Reserve { show, guest, until } => reserve(show, guest, *until, find),
            Command::Follow { guest, show } => match find(&guest_tag(guest)) {
                Some(Entity::Guest { last_show }) => reserve(last_show, show, None, find),
                _ => Err(Rejection::NeverHere),
            },
            Command::Confirm { show, seat } => confirm(show, *seat, find),
            Command::Lapse { show, seat } => lapse(show, *seat, find, now),
            Command::Close { show } => set_closed(show, true, find),
            Command::Open { show } => set_closed(show, false, find),
        }
    }

    fn evolve(tag: &Tag, state: &mut Option<Entity>, event: &Event) {
        if let ("guest", Event::Reserved { show, .. }) = (tag.parts().0, event) {
            *state = Some(Entity::Guest { last_show: show.clone() });
            return;
        }
        if let Event::Announced { seats, .. } = event {
            *state = Some(Entity::Show { seats: *seats, taken: BTreeMap::new(), closed: false });
            return;
        }
        let Some(Entity::Show { taken, closed, .. }) = state else { return };
        match event {
            Event::Announced { .. } => {}
            Event::Reserved { guest, seat, until, .. } => {
                taken.insert(*seat, Seat { guest: guest.clone(), until: *until });
            }
            Event::Confirmed { seat, .. } => {
                if let Some(seat) = taken.get_mut(seat) {
                    seat.until = None;
                }
            }
            Event::Lapsed { seat, .. } => {
                taken.remove(seat);
            }
            Event::Closed { .. } => *closed = true,
            Event::Opened { .. } => *closed = false,
        }
    }

    fn is_snapshotted(entity: &Entity) -> bool {
        !matches!(entity, Entity::Guest { .. })
    }

    fn encode(event: &Event) -> Encoded {
        let event_type = match event {
            Event::Announced { .. } => "announced",
            Event::Reserved { .. } => "reserved",
            Event::Confirmed { .. } => "confirmed",
            Event::Lapsed { .. } => "lapsed",
            Event::Closed { .. } => "closed",
            Event::Opened { .. } => "opened",
        };
        let data = serde_json::to_string(event).expect("the event has only string keys");
        Encoded { event_type, version: 1, tags: tags(event), data }
    }

    fn decode(_: &str, _: i16, data: &str) -> Result<Event, Undecodable> {
        serde_json::from_str(data).map_err(|error| Undecodable(Box::new(error)))
    }

    fn answer(_: &Command) {}

    fn refusal(rejection: &Rejection) -> Refusal {
        let code = match rejection {
            Rejection::NoShow => "no-show",
            Rejection::SoldOut => "sold-out",
            Rejection::NeverHere => "never-here",
            Rejection::NotReserved => "not-reserved",
            Rejection::Closed => "closed",
        };
        Refusal { code: code.to_owned(), detail: code.to_owned(), details: Map::new() }
    }

    fn deadlines(event: &Event) -> Vec<DeadlineChange> {
        match event {
            Event::Reserved { show, seat, until: Some(until), .. } => {
                vec![DeadlineChange::Set { name: deadline_name(show, *seat), at: *until }]
            }
            Event::Confirmed { show, seat } | Event::Lapsed { show, seat } => {
                vec![DeadlineChange::Clear { name: deadline_name(show, *seat) }]
            }
            _ => Vec::new(),
        }
    }

    fn time_corrected(_from: DateTime<Utc>, _to: DateTime<Utc>) -> Option<Event> {
        Some(Event::Opened { show: "Time".to_owned() })
    }

    fn when_due(name: &str) -> Option<Command> {
        assert_ne!(name, CURSED, "somebody said its name");
        let (show, seat) = name.strip_prefix("seat:")?.rsplit_once(':')?;
        Some(Command::Lapse { show: show.to_owned(), seat: seat.parse().ok()? })
    }

    /// The free seats of each show and the last show of each guest, before and after.
    fn explain(events: &[Event], before: Find<'_, Entity>, after: Find<'_, Entity>) -> Map<String, Value> {
        let mut explanation = Map::new();
        for tag in events.iter().flat_map(tags) {
            let change = match tag.parts().0 {
                "guest" => json!([last_show(before(&tag)), last_show(after(&tag))]),
                _ => json!([free_seats(before(&tag)), free_seats(after(&tag))]),
            };
            explanation.insert(tag.to_string(), change);
        }
        explanation
    }
}
