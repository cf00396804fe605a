//! Appending a batch: one statement in one round trip, all or nothing.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use recount_core::{EventHash, Frontier, LogKey, NewEvent, Position, Tip};
use uuid::Uuid;

use crate::deadlines::{DeadlineChange, DeadlineChanges};
use crate::entities::tag_hash;
use crate::error::StoreError;
use crate::outcomes::NewOutcome;
use crate::writer::LogWriter;

/// How often the Merkle frontier is kept. A writer that opens the log reads this many hashes at most.
const FRONTIER_INTERVAL: i64 = 256;

/// A batch to append: its events and outcomes, and the tip of the log that the writer expects.
#[derive(Debug)]
pub struct Append {
    log: LogKey,
    tip: Tip,
    fence: i64,
    recorded_at: DateTime<Utc>,
    /// The frontier after the batch.
    frontier: Frontier,
    ids: Vec<Uuid>,
    types: Vec<&'static str>,
    versions: Vec<i16>,
    tags: Vec<String>,
    data: Vec<String>,
    metas: Vec<String>,
    hashes: Vec<EventHash>,
    tag_hashes: Vec<i64>,
    tag_events: Vec<i32>,
    keys: Vec<Uuid>,
    requests: Vec<Uuid>,
    outcome_events: Vec<i32>,
    outcomes: Vec<String>,
    deadlines: DeadlineChanges,
}

/// The result of an append that the store answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// The batch is durable.
    Done,
    /// The log does not end at the tip that the batch expects, so nothing was written. Another process appended first,
    /// or the log has lost its end. Read the log and decide again.
    TipMoved,
    /// One of the idempotency keys already has an outcome, so nothing was written. Look up the keys.
    KeyTaken,
}

impl Append {
    /// An empty batch for a log that is expected to end where the frontier does, with this hash there.
    pub fn new(
        log: LogKey,
        hash: EventHash,
        frontier: Frontier,
        fence: i64,
        recorded_at: DateTime<Utc>,
    ) -> Append {
        Append {
            log,
            tip: Tip { position: frontier.position(), hash },
            fence,
            recorded_at,
            frontier,
            ids: Vec::new(),
            types: Vec::new(),
            versions: Vec::new(),
            tags: Vec::new(),
            data: Vec::new(),
            metas: Vec::new(),
            hashes: Vec::new(),
            tag_hashes: Vec::new(),
            tag_events: Vec::new(),
            keys: Vec::new(),
            requests: Vec::new(),
            outcome_events: Vec::new(),
            outcomes: Vec::new(),
            deadlines: DeadlineChanges::default(),
        }
    }

    /// Adds an event. Returns the tip of the log with it.
    pub fn push_event(&mut self, event: NewEvent) -> Tip {
        let Tip { position, hash } = self.next_tip();
        let hash = EventHash::of(hash, &event.envelope(self.log, position.next(), self.recorded_at));
        self.hashes.push(hash);
        self.frontier.push(hash);
        let NewEvent { id, event_type, version, tags, data, meta } = event;
        self.ids.push(id);
        let index = self.last_event();
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
        self.next_tip()
    }

    /// Adds the outcome of a command with an idempotency key. It belongs to the tip that the log has with the events of
    /// the batch so far.
    pub fn push_outcome(&mut self, outcome: NewOutcome) {
        self.keys.push(outcome.key.0);
        self.requests.push(outcome.request.0);
        self.outcome_events.push(self.last_event());
        self.outcomes.push(outcome.outcome);
    }

    /// Adds a change that one of the events makes to the log's deadlines. If a name changes several times, the last
    /// change counts.
    pub fn push_deadline(&mut self, change: DeadlineChange) {
        self.deadlines.push(change);
    }

    /// The tip of the log after this batch.
    pub fn next_tip(&self) -> Tip {
        let hash = self.hashes.last().copied().unwrap_or(self.tip.hash);
        Tip { position: self.frontier.position(), hash }
    }

    /// The Merkle frontier of the log after this batch.
    pub fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// The hash of the event at a position of the batch.
    pub fn hash_at(&self, position: Position) -> Option<EventHash> {
        let index = usize::try_from(position.0 - self.tip.position.0 - 1).ok()?;
        self.hashes.get(index).copied()
    }

    /// The number of events in the batch so far.
    pub fn events(&self) -> usize {
        self.ids.len()
    }

    /// The id of the first event. It distinguishes this batch from another one at the same positions.
    pub fn first_event_id(&self) -> Option<Uuid> {
        self.ids.first().copied()
    }

    /// The index of the last event so far, from 1.
    fn last_event(&self) -> i32 {
        i32::try_from(self.ids.len()).expect("a batch is bounded far below 2^31 events")
    }

    /// The frontier, if it is time to keep it.
    fn kept_frontier(&self) -> Option<Vec<u8>> {
        let interval = |position: Position| position.0 / FRONTIER_INTERVAL;
        (interval(self.tip.position) < interval(self.next_tip().position)).then(|| self.frontier.to_bytes())
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

const APPEND: &str = "select store.append(
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)";

/// The SQLSTATE of an append whose time is ahead of the database's clock.
const CLOCK_AHEAD: &str = "RC001";
/// The SQLSTATE of an append with a key that has an outcome.
const KEY_TAKEN: &str = "RC002";

impl LogWriter {
    /// Appends the batch if the log ends at the tip that the batch expects.
    ///
    /// After [`StoreError::OutcomeUnknown`] the batch may be in the log or not. To find out, call
    /// [`LogWriter::raise_fence`] and then read the log. A statement that takes longer than `timeout` also ends with
    /// this error, and its connection is closed.
    pub async fn append(&self, batch: &Append, timeout: Duration) -> Result<Appended, StoreError> {
        let started = Instant::now();
        // If there is no connection, the outcome is known: nothing was sent.
        let mut connection = self.take_warm(timeout).await?;
        // What taking it has cost is not there for the statement, but for the half that it needs to have a chance.
        let timeout = timeout.saturating_sub(started.elapsed()).max(timeout / 2);
        let hashes: Vec<&[u8]> = batch.hashes.iter().map(|hash| &hash.0[..]).collect();
        let (deadlines, due_at) = batch.deadlines.arrays();
        let statement = sqlx::query_scalar::<_, bool>(APPEND)
            .bind(batch.log.0)
            .bind(batch.tip.position.0)
            .bind(&batch.tip.hash.0[..])
            .bind(batch.fence)
            .bind(batch.recorded_at)
            .bind(batch.kept_frontier())
            .bind(&batch.ids)
            .bind(&batch.types)
            .bind(&batch.versions)
            .bind(&batch.tags)
            .bind(&batch.data)
            .bind(&batch.metas)
            .bind(hashes)
            .bind(&batch.tag_hashes)
            .bind(&batch.tag_events)
            .bind(&batch.keys)
            .bind(&batch.requests)
            .bind(&batch.outcome_events)
            .bind(&batch.outcomes)
            .bind(deadlines)
            .bind(due_at);
        let appended = statement.fetch_one(connection.within(timeout)).await;
        let code = |error: &dyn sqlx::error::DatabaseError, code: &str| error.code().as_deref() == Some(code);
        let answer = match appended {
            Ok(true) => Appended::Done,
            Ok(false) => Appended::TipMoved,
            Err(sqlx::Error::Database(error)) if code(&*error, KEY_TAKEN) => Appended::KeyTaken,
            Err(sqlx::Error::Database(error)) if code(&*error, CLOCK_AHEAD) => {
                self.keep_warm(connection);
                return Err(StoreError::ClockAhead(error.message().to_owned()));
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
            .execute(self.brief())
            .await
            .map(|_| ())
            .map_err(StoreError::from_read)
    }
}
