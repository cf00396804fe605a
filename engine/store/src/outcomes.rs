//! The recorded outcomes of commands with an idempotency key, and how long they are kept.

use std::time::Duration;

use recount_core::{LogKey, Position};
use sqlx::Row;
use uuid::Uuid;

use crate::error::StoreError;
use crate::reader::LogReader;
use crate::writer::LogWriter;

/// Outcomes that one statement forgets: few enough that it takes a moment and holds no snapshot for long.
const FORGET_STEP: i32 = 10_000;

/// 128 bits of the SHA-256 of an idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyHash(pub Uuid);

/// 128 bits that tell the request that came with the key from another one. What they are made of is the writer's choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestHash(pub Uuid);

/// An outcome to record together with the batch that it belongs to.
#[derive(Debug)]
pub struct NewOutcome {
    pub key: KeyHash,
    pub request: RequestHash,
    /// The outcome as text, in a form that the writer chooses.
    pub outcome: String,
}

/// A recorded outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedOutcome {
    pub key: KeyHash,
    pub request: RequestHash,
    pub position: Position,
    pub outcome: String,
}

impl LogReader {
    /// The recorded outcomes of these keys.
    pub async fn outcomes(&self, log: LogKey, keys: &[KeyHash]) -> Result<Vec<RecordedOutcome>, StoreError> {
        let keys: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let rows = sqlx::query("select * from store.find_outcomes($1, $2)")
            .bind(log.0)
            .bind(keys)
            .fetch_all(self.brief())
            .await
            .map_err(StoreError::from_read)?;
        let read = |row: &sqlx::postgres::PgRow| {
            Ok(RecordedOutcome {
                key: KeyHash(row.try_get("key")?),
                request: RequestHash(row.try_get("request")?),
                position: Position(row.try_get("place")?),
                outcome: row.try_get("outcome")?,
            })
        };
        rows.iter().map(read).collect::<Result<_, sqlx::Error>>().map_err(StoreError::from_read)
    }
}

impl LogWriter {
    /// Forgets the outcomes that are older than this, at least a day, in all logs. Returns how many. A command that is
    /// repeated with a key that was forgotten is a new one.
    ///
    /// Several processes may call this at the same time.
    pub async fn forget_outcomes(&self, older_than: Duration) -> Result<u64, StoreError> {
        let mut forgotten = 0;
        loop {
            let step: i64 = sqlx::query_scalar("select store.forget_outcomes(make_interval(secs => $1), $2)")
                .bind(older_than.as_secs_f64())
                .bind(FORGET_STEP)
                .fetch_one(self.brief())
                .await
                .map_err(StoreError::from_read)?;
            forgotten += step.unsigned_abs();
            if step == 0 {
                return Ok(forgotten);
            }
        }
    }
}
