//! What goes into the engine and what comes out.

use std::sync::Arc;

use recount_event_store::{KeyHash, RequestHash};
use recount_events::Position;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Commands of one caller for one log. They are decided one after another and committed together.
#[derive(Debug)]
pub struct Submission<C> {
    pub commands: Vec<C>,
    /// All or nothing, instead of each for itself.
    pub atomic: bool,
    pub key: Option<IdempotencyKey>,
    /// Who asks, as JSON text: it stands beside every event that comes of it.
    pub meta: Arc<str>,
    /// How much memory it takes, about.
    pub bytes: usize,
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
    /// The log's head once the command had been decided: a read model that is there shows what it did.
    pub position: Position,
    /// What happened; empty if it was so already.
    pub events: Vec<EventRef>,
    #[serde(flatten)]
    pub answer: serde_json::Map<String, serde_json::Value>,
}

/// An event that a command brought about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRef {
    pub position: Position,
    pub id: Uuid,
    #[serde(rename = "type")]
    pub event_type: String,
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
