//! Appending a batch: one statement in one round trip, all or nothing.

use std::time::Duration;

use chrono::{DateTime, Utc};
use recount_core::{LogKey, NewEvent, Position};
use uuid::Uuid;

use crate::deadlines::{DeadlineArrays, DeadlineChange, DeadlineChanges};
use crate::entities::tag_hash;
use crate::error::StoreError;
use crate::outcomes::NewOutcome;
use crate::writer::LogWriter;

/// A batch to append: its events and outcomes, and the head of the log that the writer expects.
#[derive(Debug)]
pub struct Append {
    log: LogKey,
    head: Position,
    fence: i64,
    recorded_at: DateTime<Utc>,
    ids: Vec<Uuid>,
    types: Vec<&'static str>,
    versions: Vec<i16>,
    tags: Vec<String>,
    data: Vec<String>,
    metas: Vec<String>,
    tag_hashes: Vec<i64>,
    tag_events: Vec<i32>,
    keys: Vec<Uuid>,
    requests: Vec<Uuid>,
    positions: Vec<i64>,
    outcomes: Vec<String>,
    deadlines: DeadlineChanges,
}

/// The result of an append that the store answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// The batch is durable.
    Done,
    /// Another process appended first, so nothing was written. Read the new events and decide again.
    HeadMoved,
    /// One of the idempotency keys already has an outcome, so nothing was written. Look up the keys.
    KeyTaken,
}

impl Append {
    /// An empty batch for a log whose head is expected to be `head`.
    pub fn new(log: LogKey, head: Position, fence: i64, recorded_at: DateTime<Utc>) -> Append {
        Append {
            log,
            head,
            fence,
            recorded_at,
            ids: Vec::new(),
            types: Vec::new(),
            versions: Vec::new(),
            tags: Vec::new(),
            data: Vec::new(),
            metas: Vec::new(),
            tag_hashes: Vec::new(),
            tag_events: Vec::new(),
            keys: Vec::new(),
            requests: Vec::new(),
            positions: Vec::new(),
            outcomes: Vec::new(),
            deadlines: DeadlineChanges::default(),
        }
    }

    /// Adds an event. Returns the position that it will have.
    pub fn push_event(&mut self, event: NewEvent) -> Position {
        let NewEvent { id, event_type, version, tags, data, meta } = event;
        self.ids.push(id);
        let index = i32::try_from(self.ids.len()).expect("a batch is bounded far below 2^31 events");
        let first_hash = self.tag_hashes.len();
        self.tag_hashes.extend(tags.iter().map(|tag| tag_hash(self.log, tag)));
        // If two tags of one event have the same hash, the store has one row for both.
        self.tag_hashes[first_hash..].sort_unstable();
        let mut kept = first_hash;
        for at in first_hash..self.tag_hashes.len() {
            if at == first_hash || self.tag_hashes[at] != self.tag_hashes[at - 1] {
                self.tag_hashes[kept] = self.tag_hashes[at];
                kept += 1;
            }
        }
        self.tag_hashes.truncate(kept);
        self.tag_events.resize(kept, index);
        self.types.push(event_type);
        self.versions.push(version);
        self.tags.push(lines(&tags));
        self.data.push(data);
        self.metas.push(meta.to_string());
        self.next_position()
    }

    /// Adds the outcome of a command with an idempotency key.
    pub fn push_outcome(&mut self, outcome: NewOutcome) {
        self.keys.push(outcome.key.0);
        self.requests.push(outcome.request.0);
        self.positions.push(outcome.position.0);
        self.outcomes.push(outcome.outcome);
    }

    /// Adds a change that one of the events makes to the log's deadlines. If a name changes several times, the last
    /// change counts.
    pub fn push_deadline(&mut self, change: DeadlineChange) {
        self.deadlines.push(change);
    }

    /// The head of the log after this batch.
    pub fn next_position(&self) -> Position {
        Position(self.head.0 + i64::try_from(self.ids.len()).expect("a batch is bounded"))
    }

    /// The number of events in the batch so far.
    pub fn events(&self) -> usize {
        self.ids.len()
    }

    /// The id of the first event. It distinguishes this batch from another one at the same positions.
    pub fn first_event_id(&self) -> Option<Uuid> {
        self.ids.first().copied()
    }
}

fn lines(tags: &[recount_core::Tag]) -> String {
    let mut lines = String::with_capacity(tags.iter().map(|tag| tag.as_str().len() + 1).sum());
    for (n, tag) in tags.iter().enumerate() {
        if n > 0 {
            lines.push('\n');
        }
        lines.push_str(tag.as_str());
    }
    lines
}

const APPEND: &str =
    "select store.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";

/// The statement for a batch whose events change deadlines.
const APPEND_WITH_DEADLINES: &str = "select store.append_with_deadlines(
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)";

impl LogWriter {
    /// Appends the batch if the head of the log is the one that the batch expects.
    ///
    /// After [`StoreError::OutcomeUnknown`] the batch may be in the log or not. To find out, call
    /// [`LogWriter::raise_fence`] and then read the log. A statement that takes longer than `timeout` also ends with
    /// this error, and its connection is closed.
    pub async fn append(&self, batch: &Append, timeout: Duration) -> Result<Appended, StoreError> {
        // If there is no connection, the outcome is known: nothing was sent.
        let mut connection = self.take_warm().await?;
        let deadlines = batch.deadlines.arrays();
        let sql = if deadlines.is_some() { APPEND_WITH_DEADLINES } else { APPEND };
        let mut statement = sqlx::query_scalar::<_, bool>(sql)
            .bind(batch.log.0)
            .bind(batch.head.0)
            .bind(batch.fence)
            .bind(batch.recorded_at)
            .bind(&batch.ids)
            .bind(&batch.types)
            .bind(&batch.versions)
            .bind(&batch.tags)
            .bind(&batch.data)
            .bind(&batch.metas)
            .bind(&batch.tag_hashes)
            .bind(&batch.tag_events)
            .bind(&batch.keys)
            .bind(&batch.requests)
            .bind(&batch.positions)
            .bind(&batch.outcomes);
        if let Some(DeadlineArrays { set, due_at, cleared }) = deadlines {
            statement = statement.bind(set).bind(due_at).bind(cleared);
        }
        let Ok(appended) = tokio::time::timeout(timeout, statement.fetch_one(&mut *connection)).await else {
            connection.close_on_drop();
            self.forget_warm();
            return Err(StoreError::OutcomeUnknown(sqlx::Error::PoolTimedOut));
        };
        let answer = match appended {
            Ok(true) => Appended::Done,
            Ok(false) => Appended::HeadMoved,
            Err(sqlx::Error::Database(error)) if error.constraint() == Some("outcomes_pkey") => {
                Appended::KeyTaken
            }
            Err(error) => {
                self.forget_warm();
                return Err(StoreError::from_change(error));
            }
        };
        self.keep_warm(connection);
        Ok(answer)
    }

    /// Blocks every append to this log that may still be on its way to the database.
    ///
    /// This call waits for an append that is running. An append that arrives later finds a different fence and changes
    /// nothing.
    pub async fn raise_fence(&self, log: LogKey) -> Result<(), StoreError> {
        sqlx::query("select store.raise_fence($1)")
            .bind(log.0)
            .execute(self.pool())
            .await
            .map(|_| ())
            .map_err(StoreError::from_read)
    }
}
