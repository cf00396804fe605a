//! Submissions and their outcomes.

use std::sync::Arc;

use recount_core::Position;
use recount_store::{KeyHash, RequestHash};
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
    /// Only decide: nothing is changed and no outcome is recorded.
    pub dry_run: bool,
    pub key: Option<IdempotencyKey>,
    /// Who asks, as JSON text. It is recorded with every event.
    pub meta: Arc<str>,
    /// About how many bytes of memory it takes.
    pub bytes: usize,
}

impl<C> Submission<C> {
    /// About how many bytes a command takes, where the caller does not know.
    const COMMAND_BYTES: usize = 1_024;

    /// A single command of an unnamed caller, without an idempotency key.
    pub fn of(command: C) -> Submission<C> {
        Submission {
            commands: vec![command],
            atomic: false,
            dry_run: false,
            key: None,
            meta: "{}".into(),
            bytes: Submission::<C>::COMMAND_BYTES,
        }
    }

    /// The key under which the outcome is recorded, if it is.
    pub(crate) fn recorded_key(&self) -> Option<IdempotencyKey> {
        self.key.filter(|_| !self.dry_run)
    }
}

/// The idempotency key of a submission, and the request that it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    pub key: KeyHash,
    pub request: RequestHash,
}

impl IdempotencyKey {
    /// The key that the caller chose, and the bytes that tell this request from another.
    pub fn new(key: &str, request: &[&[u8]]) -> IdempotencyKey {
        IdempotencyKey { key: KeyHash(hash(&[key.as_bytes()])), request: RequestHash(hash(request)) }
    }

    /// A key of several parts. No caller can choose it, because a caller's key has one part.
    pub fn of_parts(key: &[&[u8]], request: &[&[u8]]) -> IdempotencyKey {
        debug_assert!(key.len() > 1, "a key of one part is a caller's");
        IdempotencyKey { key: KeyHash(hash(key)), request: RequestHash(hash(request)) }
    }
}

impl IdempotencyKey {
    /// The request as it is recorded in this log. A hash of a request with personal data can be guessed by who knows the
    /// rest of the request, so the log's random id is hashed with it: recorded hashes of two logs or two deployments cannot
    /// be compared, and no table made in advance has them. Who holds the whole database also holds the id.
    pub(crate) fn request_in(&self, log_id: Uuid) -> RequestHash {
        RequestHash(hash(&[log_id.as_bytes(), self.request.0.as_bytes()]))
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

/// The outcome of one command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Accepted(Accepted),
    Rejected(Refusal),
}

/// A command that was accepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Accepted {
    /// The head of the log after the command: a read model at this position shows its effects. For a dry run, the head at
    /// which it was decided.
    pub position: Position,
    /// The events that happened, or would have. Empty if the effect holds already.
    pub events: Events,
    /// The answer of the domain. For a dry run also `"dry_run": true` and the explanation of the domain.
    #[serde(flatten)]
    pub answer: serde_json::Map<String, serde_json::Value>,
}

/// The events of an accepted command, in JSON a list. Recorded ones have happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, from = "Vec<EventRef>")]
pub enum Events {
    /// They are in the log.
    Happened(Vec<EventRef>),
    /// It was a dry run.
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

/// An event of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRef {
    pub position: Position,
    pub id: Uuid,
    #[serde(rename = "type")]
    pub event_type: String,
}

/// An event that would have happened. It has no position and no id.
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
    /// The figures and names behind the reason.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub details: serde_json::Map<String, serde_json::Value>,
}

impl Refusal {
    /// A refusal without figures.
    pub fn new(code: impl Into<String>, detail: impl Into<String>) -> Refusal {
        Refusal { code: code.into(), detail: detail.into(), details: serde_json::Map::new() }
    }

    /// Adds a figure or a name.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<serde_json::Value>) -> Refusal {
        self.details.insert(name.into(), value.into());
        self
    }
}

/// The outcome of a submission. It is recorded in this form if the submission has a key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SubmissionOutcome {
    /// The head of the log when the last command was decided.
    pub position: Position,
    /// One outcome per command, in order. If an atomic submission failed, only the outcome of the command that did.
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
    #[error("the inbox of this log is full; nothing was done")]
    Busy,
    #[error("the idempotency key was used for another request")]
    KeyReused,
    #[error("the event store cannot be reached; nothing was done")]
    Unavailable,
    #[error("the clock of this process is ahead of the event store's; nothing was done")]
    ClockAhead,
    #[error("the event store was lost during the commit; the command may or may not have been recorded")]
    OutcomeUnknown,
    #[error("the engine is shutting down; nothing was done")]
    ShuttingDown,
    #[error("the command could not be processed")]
    Internal,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an earlier version recorded is read by later ones, and by those that run beside it.
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
