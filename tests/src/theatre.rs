//! A theatre that sells seats: a second, tiny domain on the same engine. It has nothing to do with ledgers, and the
//! engine must not notice.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use recount_command_service::engine::{Domain, Encoded, Find, Refusal, Undecodable};
use recount_events::Tag;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug)]
pub struct Theatre;

#[derive(Clone, Debug)]
pub enum Command {
    Announce {
        show: String,
        seats: u32,
    },
    Reserve {
        show: String,
        guest: String,
    },
    /// Gives the guest's seat to whoever the guest names as a friend in another show: reads one entity through another.
    Follow {
        guest: String,
        show: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum Event {
    Announced { show: String, seats: u32 },
    Reserved { show: String, guest: String, seat: u32 },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entity {
    Show { seats: u32, taken: BTreeMap<u32, String> },
    Guest { last_show: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    NoShow,
    SoldOut,
    NeverHere,
}

pub fn show_tag(show: &str) -> Tag {
    Tag::new("show", show)
}

fn guest_tag(guest: &str) -> Tag {
    Tag::new("guest", guest)
}

fn tags(event: &Event) -> Vec<Tag> {
    match event {
        Event::Announced { show, .. } => vec![show_tag(show)],
        Event::Reserved { show, guest, .. } => vec![show_tag(show), guest_tag(guest)],
    }
}

fn reserve(show: &str, guest: &str, find: Find<'_, Entity>) -> Result<Vec<Event>, Rejection> {
    match find(&show_tag(show)) {
        Some(Entity::Show { seats, taken }) => {
            let seat = u32::try_from(taken.len()).unwrap_or(u32::MAX) + 1;
            if seat > *seats {
                return Err(Rejection::SoldOut);
            }
            Ok(vec![Event::Reserved { show: show.to_owned(), guest: guest.to_owned(), seat }])
        }
        _ => Err(Rejection::NoShow),
    }
}

impl Domain for Theatre {
    type Command = Command;
    type Event = Event;
    type Entity = Entity;
    type Rejection = Rejection;

    const SNAPSHOT_VERSION: i16 = 1;

    fn needs(command: &Command, find: Find<'_, Entity>) -> Vec<Tag> {
        match command {
            Command::Announce { show, .. } => vec![show_tag(show)],
            Command::Reserve { show, .. } => vec![show_tag(show)],
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

    fn decide(command: &Command, find: Find<'_, Entity>, _: DateTime<Utc>) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Announce { show, seats } => match find(&show_tag(show)) {
                Some(_) => Ok(vec![]),
                None => Ok(vec![Event::Announced { show: show.clone(), seats: *seats }]),
            },
            Command::Reserve { show, guest } => reserve(show, guest, find),
            Command::Follow { guest, show } => match find(&guest_tag(guest)) {
                Some(Entity::Guest { last_show }) => reserve(last_show, show, find),
                _ => Err(Rejection::NeverHere),
            },
        }
    }

    fn evolve(tag: &Tag, state: &mut Option<Entity>, event: &Event) {
        match (tag.parts().0, event) {
            (_, Event::Announced { seats, .. }) => {
                *state = Some(Entity::Show { seats: *seats, taken: BTreeMap::new() });
            }
            ("guest", Event::Reserved { show, .. }) => {
                *state = Some(Entity::Guest { last_show: show.clone() })
            }
            (_, Event::Reserved { guest, seat, .. }) => {
                if let Some(Entity::Show { taken, .. }) = state {
                    taken.insert(*seat, guest.clone());
                }
            }
        }
    }

    fn encode(event: &Event) -> Encoded {
        let event_type = match event {
            Event::Announced { .. } => "announced",
            Event::Reserved { .. } => "reserved",
        };
        let data = serde_json::to_string(event).expect("the event has only string keys");
        Encoded { event_type, version: 1, tags: tags(event), data }
    }

    fn decode(_: &str, _: i16, data: &str) -> Result<Event, Undecodable> {
        serde_json::from_str(data).map_err(|error| Undecodable(Box::new(error)))
    }

    fn answer(_: &Command) -> serde_json::Map<String, serde_json::Value> {
        serde_json::Map::new()
    }

    fn refusal(rejection: &Rejection) -> Refusal {
        let code = match rejection {
            Rejection::NoShow => "no-show",
            Rejection::SoldOut => "sold-out",
            Rejection::NeverHere => "never-here",
        };
        Refusal { code: code.to_owned(), detail: code.to_owned(), details: serde_json::Map::new() }
    }
}
