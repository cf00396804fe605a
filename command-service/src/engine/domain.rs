//! What the engine needs of a domain.

use chrono::{DateTime, Utc};
use recount_event_store::DeadlineChange;
use recount_events::Tag;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::submission::Refusal;

/// How a decision finds an entity's state; `None` is an entity that nothing has happened to.
pub type Find<'a, E> = &'a dyn Fn(&Tag) -> Option<&'a E>;

/// A domain: which entities a command reads, what it decides, how events change entities, and how events are stored.
///
/// All of it is pure and synchronous. The engine calls it from the writer of a log, one command after another.
pub trait Domain: std::fmt::Debug + Send + Sync + 'static {
    type Command: std::fmt::Debug + Send + Sync + 'static;
    type Event: std::fmt::Debug + Send;
    /// The state of whatever a tag names. Its JSON is what snapshots hold.
    type Entity: Clone + std::fmt::Debug + Send + Sync + Serialize + DeserializeOwned + 'static;
    type Rejection: std::fmt::Debug + Send;

    /// Raised whenever the JSON of an entity changes, so that older snapshots are passed over.
    const SNAPSHOT_VERSION: i16;

    /// The entities that deciding the command takes.
    fn needs(command: &Self::Command, find: Find<'_, Self::Entity>) -> Vec<Tag>;

    /// Whether the command may need more once what it needs is loaded: then [`Domain::needs`] is called again, until it
    /// names nothing new.
    fn needs_more_when_loaded(_command: &Self::Command) -> bool {
        false
    }

    /// Decides. No events means that it is so already.
    fn decide(
        command: &Self::Command,
        find: Find<'_, Self::Entity>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Self::Event>, Self::Rejection>;

    /// Folds an event into the entity that `tag` names. Total: history is fact.
    fn evolve(tag: &Tag, state: &mut Option<Self::Entity>, event: &Self::Event);

    /// Whether an entity is worth keeping in memory: will later commands read it?
    fn is_read_again(_entity: &Self::Entity) -> bool {
        true
    }

    /// Whether an entity's state may be kept beside the log. What has to be forgotten may not.
    fn is_snapshotted(_entity: &Self::Entity) -> bool {
        true
    }

    fn encode(event: &Self::Event) -> Encoded;

    fn decode(event_type: &str, version: i16, data: &str) -> Result<Self::Event, Undecodable>;

    /// What the caller is told beside positions: the ids that the command brought, for one.
    fn answer(command: &Self::Command) -> serde_json::Map<String, serde_json::Value>;

    fn refusal(rejection: &Self::Rejection) -> Refusal;

    /// What the event does to the deadlines of its log: what falls due from now on, and what does not any more.
    /// It is asked of every event, and nearly all change none: an empty list takes no memory.
    fn deadlines(_event: &Self::Event) -> Vec<DeadlineChange> {
        Vec::new()
    }

    /// The command that the service submits when this falls due; `None` for a name that the domain does not know.
    ///
    /// It may be submitted more than once, early by a clock that is ahead, and late by any time: once it has no more to
    /// do it brings no events or is rejected. It is submitted again and again until an event of it, or of another
    /// command, clears the deadline or sets it to another moment.
    fn when_due(_name: &str) -> Option<Self::Command> {
        None
    }

    /// What a dry run is told beside the events that a command would bring about: its effects, for one. `before` and
    /// `after` find the entities that the events concern, and no others, as they were right before the command and would
    /// be right after it.
    fn explain(
        _events: &[Self::Event],
        _before: Find<'_, Self::Entity>,
        _after: Find<'_, Self::Entity>,
    ) -> serde_json::Map<String, serde_json::Value> {
        serde_json::Map::new()
    }
}

/// An event as it will be stored.
#[derive(Clone, Debug)]
pub struct Encoded {
    pub event_type: &'static str,
    pub version: i16,
    /// The entities that the event concerns, each once.
    pub tags: Vec<Tag>,
    /// Exact JSON text.
    pub data: String,
}

/// A stored event that the domain cannot read.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Undecodable(#[from] pub Box<dyn std::error::Error + Send + Sync>);
