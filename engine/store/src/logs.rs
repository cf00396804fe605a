//! The logs: creating one, reading its head, finding those that have moved.

use chrono::{DateTime, Utc};
use recount_core::{LogKey, LogName, Position};
use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::error::StoreError;
use crate::reader::LogReader;
use crate::writer::LogWriter;

/// A log and its head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    pub key: LogKey,
    pub name: LogName,
    pub head: Position,
    /// An append has to give the current fence: see [`LogWriter::raise_fence`].
    pub fence: i64,
    /// When the event at the head was recorded. No later event is recorded at an earlier time.
    pub recorded_at: DateTime<Utc>,
}

/// A log that has moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovedLog {
    pub key: LogKey,
    pub name: LogName,
    pub head: Position,
    /// When it last moved, by the database's clock.
    pub moved_at: DateTime<Utc>,
}

impl LogWriter {
    /// Creates the log if it does not exist.
    pub async fn create_log(&self, name: &LogName) -> Result<(), StoreError> {
        let existing: String = sqlx::query_scalar("select store.create_log($1, $2)")
            .bind(name.key().0)
            .bind(name.as_str())
            .fetch_one(self.pool())
            .await
            .map_err(StoreError::from_read)?;
        if existing == name.as_str() {
            Ok(())
        } else {
            Err(StoreError::KeyCollision { wanted: name.to_string(), existing })
        }
    }
}

impl LogReader {
    /// The log with this key, if it exists.
    pub async fn log(&self, log: LogKey) -> Result<Option<Log>, StoreError> {
        let row = sqlx::query("select log, name, head, fence, recorded_at from store.logs where log = $1")
            .bind(log.0)
            .fetch_optional(self.pool())
            .await
            .map_err(StoreError::from_read)?;
        row.as_ref().map(read_log).transpose()
    }

    /// The logs that have moved since a time by the database's clock, or all logs, in the order in which they moved.
    ///
    /// A statement that is still running may commit with an earlier time than one that was already seen, so ask again
    /// with an overlap.
    pub async fn logs_moved_since(&self, since: Option<DateTime<Utc>>) -> Result<Vec<MovedLog>, StoreError> {
        let statement = sqlx::query(
            "select log, name, head, moved_at from store.logs where moved_at >= coalesce($1, 'epoch') order by moved_at",
        )
        .bind(since);
        let mut moved = Vec::new();
        self.visit_rows(statement, |row| {
            moved.push(read_moved_log(row)?);
            Ok::<_, StoreError>(true)
        })
        .await?;
        Ok(moved)
    }
}

fn read_log(row: &PgRow) -> Result<Log, StoreError> {
    Ok(Log {
        key: LogKey(column(row, "log")?),
        name: log_name(row, "name")?,
        head: Position(column(row, "head")?),
        fence: column(row, "fence")?,
        recorded_at: column(row, "recorded_at")?,
    })
}

fn read_moved_log(row: &PgRow) -> Result<MovedLog, StoreError> {
    Ok(MovedLog {
        key: LogKey(column(row, "log")?),
        name: log_name(row, "name")?,
        head: Position(column(row, "head")?),
        moved_at: column(row, "moved_at")?,
    })
}

pub(crate) fn log_name(row: &PgRow, name: &str) -> Result<LogName, StoreError> {
    column::<String>(row, name)?.parse().map_err(|error| StoreError::Corrupt(format!("{error}")))
}

pub(crate) fn column<'r, T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>>(
    row: &'r PgRow,
    name: &str,
) -> Result<T, StoreError> {
    row.try_get(name).map_err(StoreError::from_read)
}
