//! What goes into the engine and what comes out.

use std::sync::Arc;

use recount_event_store::{KeyHash, RequestHash};
use recount_events::Position;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Commands of one caller for one log. They are decided one after another and committed together.
#[derive(Debug)]
pub struct Submission<C> {
    pub commands: Vec<C>,
    /// All or nothing, instead of each for itself.
    pub atomic: bool,
    /// Only what would become of it, on the state that it finds: nothing is changed and no outcome is recorded.
    pub dry_run: bool,
    pub key: Option<IdempotencyKey>,
    /// Who asks, as JSON text: it stands beside every event that comes of it.
    pub meta: Arc<str>,
    /// How much memory it takes, about.
    pub bytes: usize,
}

impl<C> Submission<C> {
    /// The key that the outcome is recorded under, if it is recorded.
    pub(super) fn recorded_key(&self) -> Option<IdempotencyKey> {
        self.key.filter(|_| !self.dry_run)
    }
}

/// Under which key a submission is known, and what was asked under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    pub key: KeyHash,
    pub request: RequestHash,
}

impl IdempotencyKey {
    /// The key as the caller chose it, and whatever tells the request from another.
    pub fn new(key: &str, request: &[&[u8]]) -> IdempotencyKey {
        IdempotencyKey { key: KeyHash(hash(&[key.as_bytes()])), request: RequestHash(hash(request)) }
    }

    /// A key of several parts. No caller can choose it: a caller's key is one part.
    pub fn of_parts(key: &[&[u8]], request: &[&[u8]]) -> IdempotencyKey {
        debug_assert!(key.len() > 1, "a key of one part is a caller's");
        IdempotencyKey { key: KeyHash(hash(key)), request: RequestHash(hash(request)) }
    }
}

fn hash(parts: &[&[u8]]) -> Uuid {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.len().to_be_bytes());
        hasher.update(part);
    }
    let mut first = [0u8; 16];
    first.copy_from_slice(&hasher.finalize()[..16]);
    Uuid::from_bytes(first)
}

/// What became of one command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Accepted(Accepted),
    Rejected(Refusal),
}

/// A command that was accepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Accepted {
    /// The log's head once the command had been decided: a read model that is there shows what it did. Of a dry run the
    /// head that it was decided at.
    pub position: Position,
    /// What happened, or would have; empty if it was so already.
    pub events: Events,
    /// What the domain tells beside. Of a dry run also `"dry_run": true` and the domain's explanation.
    #[serde(flatten)]
    pub answer: serde_json::Map<String, serde_json::Value>,
}

/// The events of a command that was accepted, as a list in JSON. Whatever was recorded happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, from = "Vec<EventRef>")]
pub enum Events {
    /// They are in the log.
    Happened(Vec<EventRef>),
    /// They would be, if this had not been a dry run.
    WouldHappen(Vec<DraftedEvent>),
}

impl Events {
    pub fn len(&self) -> usize {
        match self {
            Events::Happened(events) => events.len(),
            Events::WouldHappen(events) => events.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<Vec<EventRef>> for Events {
    fn from(events: Vec<EventRef>) -> Events {
        Events::Happened(events)
    }
}

/// An event that a command brought about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRef {
    pub position: Position,
    pub id: Uuid,
    #[serde(rename = "type")]
    pub event_type: String,
}

/// An event that a command would have brought about. It has no position and no id.
#[derive(Clone, Debug, Serialize)]
pub struct DraftedEvent {
    #[serde(rename = "type")]
    pub event_type: &'static str,
    pub version: i16,
    /// The event's data, to the byte as it would have been recorded.
    pub data: Box<RawValue>,
}

impl PartialEq for DraftedEvent {
    fn eq(&self, other: &DraftedEvent) -> bool {
        let parts = |event: &DraftedEvent| (event.event_type, event.version);
        parts(self) == parts(other) && self.data.get() == other.data.get()
    }
}

/// Why a command was rejected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    /// The stable code.
    pub code: String,
    /// The reason in a sentence.
    pub detail: String,
    /// The figures and names behind it.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub details: serde_json::Map<String, serde_json::Value>,
}

/// What became of a submission. It is recorded as it stands if the submission has a key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SubmissionOutcome {
    /// The log's head when the last of the commands was decided.
    pub position: Position,
    /// One outcome per command, in order. Of an atomic submission that failed, only that of the command that did.
    pub outcomes: Vec<Outcome>,
    /// The index of the command that made an atomic submission fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<usize>,
}

/// Why there is no outcome.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    #[error("there is no such log")]
    LogUnknown,
    #[error("too much is waiting for this log already; nothing was done")]
    Busy,
    #[error("the idempotency key was used for another request")]
    KeyReused,
    #[error("the event store cannot be reached; nothing was done")]
    Unavailable,
    #[error("the event store was lost while the command was being committed; it may or may not have been")]
    OutcomeUnknown,
    #[error("the engine is shutting down; nothing was done")]
    ShuttingDown,
    #[error("the command could not be processed")]
    Internal,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Outcomes stay recorded as long as the log: what was written by the first version reads for good, and is written
    /// the same.
    #[test]
    fn a_recorded_outcome_keeps_its_form() {
        let recorded = concat!(
            r#"{"position":7,"outcomes":[{"accepted":{"position":6,"events":[{"position":6,"#,
            r#""id":"018f0000-0000-7000-8000-000000000001","type":"opened"}],"thing":"a"}},"#,
            r#"{"accepted":{"position":6,"events":[]}},"#,
            r#"{"rejected":{"code":"too-late","detail":"It is too late.","details":{"by":"3"}}}],"failed":2}"#,
        );
        let outcome: SubmissionOutcome = serde_json::from_str(recorded).unwrap();
        assert_eq!(serde_json::to_string(&outcome).unwrap(), recorded);
        let [Outcome::Accepted(first), Outcome::Accepted(second), Outcome::Rejected(_)] = &*outcome.outcomes
        else {
            panic!("{outcome:?}");
        };
        let id = "018f0000-0000-7000-8000-000000000001".parse().unwrap();
        let event = EventRef { position: Position(6), id, event_type: "opened".to_owned() };
        assert_eq!(first.events, Events::Happened(vec![event]));
        assert_eq!(second.events, Events::Happened(vec![]));
    }

    #[test]
    fn a_key_of_parts_is_not_a_key_that_a_caller_can_choose() {
        let caller = IdempotencyKey::new("ab", &[b"x"]);
        let parts = IdempotencyKey::of_parts(&[b"a", b"b"], &[b"x"]);
        assert_ne!(caller.key, parts.key);
        assert_eq!(caller.request, parts.request);
        assert_ne!(IdempotencyKey::of_parts(&[b"ab", b""], &[]).key, parts.key);
    }
}
