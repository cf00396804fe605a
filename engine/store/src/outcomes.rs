//! The recorded outcomes of commands with an idempotency key.

use recount_core::{LogKey, Position};
use sqlx::Row;
use uuid::Uuid;

use crate::error::StoreError;
use crate::reader::LogReader;

/// 128 bits of the SHA-256 of an idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyHash(pub Uuid);

/// 128 bits of the SHA-256 of the request that came with the key.
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
