//! The contract between the engine and a domain.

use chrono::{DateTime, Utc};
use recount_core::Tag;
use recount_store::DeadlineChange;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::submission::Refusal;

/// How a decision finds the state of an entity; `None` means that nothing has happened to it.
pub type Find<'a, E> = &'a dyn Fn(&Tag) -> Option<&'a E>;

/// A domain: which entities a command reads, how it is decided, how events change entities, and how events are stored.
///
/// All of it is pure and synchronous. The engine calls it from the writer of a log, one command after another, so a
/// decision may rest on any entities of the log: no other command comes between reading and writing.
///
/// The example of the crate's front page is a whole domain.
pub trait Domain: std::fmt::Debug + Send + Sync + 'static {
    /// A request to change something.
    type Command: std::fmt::Debug + Send + Sync + 'static;
    /// Something that happened.
    type Event: std::fmt::Debug + Send;
    /// The state of an entity, whatever kind its tag names. Snapshots hold its JSON.
    type Entity: Clone + std::fmt::Debug + Send + Sync + Serialize + DeserializeOwned + 'static;
    /// Why a command is rejected.
    type Rejection: std::fmt::Debug + Send;
    /// What an accepted command tells its caller beside positions and events, such as a new id. It serialises as a JSON
    /// object whose members stand beside `position` and `events`; `()` has none. It may borrow from the command.
    type Answer<'a>: Serialize;
    /// What a dry run tells beside the events that would happen. It serialises like an answer.
    type Explanation: Serialize + Default;

    /// The version of the JSON of an entity. Raise it with each change: snapshots of other versions are ignored.
    const SNAPSHOT_VERSION: i16;

    /// The entities that [`decide`](Domain::decide) reads for this command.
    fn needs(command: &Self::Command, find: Find<'_, Self::Entity>) -> Vec<Tag>;

    /// Whether one entity may lead to another. If so, [`needs`](Domain::needs) is called again after the entities that
    /// it named are loaded, until it names no more.
    fn needs_more_when_loaded(_command: &Self::Command) -> bool {
        false
    }

    /// Decides the command. No events means that its effect holds already.
    fn decide(
        command: &Self::Command,
        find: Find<'_, Self::Entity>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Self::Event>, Self::Rejection>;

    /// Folds an event into the entity that `tag` names. It never validates, because the event has happened.
    fn evolve(tag: &Tag, state: &mut Option<Self::Entity>, event: &Self::Event);

    /// Whether later commands will read this entity, so that keeping it in memory pays.
    fn is_read_again(_entity: &Self::Entity) -> bool {
        true
    }

    /// Whether the state may be saved as a snapshot. Data that has to be erased one day may not.
    fn is_snapshotted(_entity: &Self::Entity) -> bool {
        true
    }

    /// The event as it is stored.
    fn encode(event: &Self::Event) -> Encoded;

    /// Reads a stored event, of any version that was ever written.
    fn decode(event_type: &str, version: i16, data: &str) -> Result<Self::Event, Undecodable>;

    /// The answer to a command that was accepted.
    fn answer(command: &Self::Command) -> Self::Answer<'_>;

    /// The rejection as callers see it.
    fn refusal(rejection: &Self::Rejection) -> Refusal;

    /// Which deadlines the event sets and clears. The engine asks for every event; an empty list takes no memory.
    fn deadlines(_event: &Self::Event) -> Vec<DeadlineChange> {
        Vec::new()
    }

    /// The command that the engine submits when this deadline is due; `None` for a name that the domain does not know.
    ///
    /// The engine may submit it more than once, early if a clock is ahead, and late by any time: when nothing is left
    /// to do, decide no events or reject it. The engine repeats it until an event clears the deadline or moves it.
    fn when_due(_name: &str) -> Option<Self::Command> {
        None
    }

    /// The event that records that the time of a log was set back: see
    /// [`CommandEngine::correct_time`](crate::CommandEngine::correct_time). `None` if the domain has no such event.
    fn time_corrected(_from: DateTime<Utc>, _to: DateTime<Utc>) -> Option<Self::Event> {
        None
    }

    /// The effects of a dry run. `before` and `after` find the entities that the events concern, and no others, as they
    /// were right before the command and would be right after it.
    fn explain(
        _events: &[Self::Event],
        _before: Find<'_, Self::Entity>,
        _after: Find<'_, Self::Entity>,
    ) -> Self::Explanation {
        Self::Explanation::default()
    }
}

/// An event as it will be stored.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// Stable for good, as is the version.
    pub event_type: &'static str,
    pub version: i16,
    /// The entities that the event concerns, each once.
    pub tags: Vec<Tag>,
    /// Exact JSON text.
    pub data: String,
}

impl Encoded {
    /// The event as JSON.
    ///
    /// # Panics
    ///
    /// Panics if the event has no JSON: a map in it has keys that are not strings.
    pub fn json(event_type: &'static str, version: i16, tags: Vec<Tag>, event: &impl Serialize) -> Encoded {
        let data = serde_json::to_string(event).expect("an event has only string keys");
        Encoded { event_type, version, tags, data }
    }
}

/// A stored event that the domain cannot read.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Undecodable(#[from] pub Box<dyn std::error::Error + Send + Sync>);

impl From<serde_json::Error> for Undecodable {
    fn from(error: serde_json::Error) -> Undecodable {
        Undecodable(error.into())
    }
}
