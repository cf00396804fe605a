//! The handle for reading logs. It has no method that changes anything.

use std::time::Duration;

use futures_util::TryStreamExt;
use recount_postgres::{Database, Within};
use sqlx::Postgres;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;

use crate::error::StoreError;

/// How long a statement that reads or changes few rows by their keys may take.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long looking for news, or at a page of logs, may take: at most about a million short rows. Looking is the first
/// thing to meet a vanished host.
const LOOK_TIMEOUT: Duration = Duration::from_secs(10);
/// How long to wait for a statement about many rows, or for the next one of them. The server ends such a statement
/// sooner.
const ROW_TIMEOUT: Duration = Duration::from_secs(32);

/// Reads the logs of one database. It cannot write: code that only follows logs gets this type and no other. Cheap to
/// clone.
#[derive(Clone, Debug)]
pub struct LogReader {
    database: Database,
}

impl LogReader {
    pub fn new(database: impl Into<Database>) -> LogReader {
        LogReader { database: database.into() }
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    /// Executes a statement about few rows, within a time limit.
    pub(crate) fn brief(&self) -> Within<'_> {
        self.database.within(STATEMENT_TIMEOUT)
    }

    /// Executes a statement that looks at many logs, within a time limit.
    pub(crate) fn look(&self) -> Within<'_> {
        self.database.within(LOOK_TIMEOUT)
    }

    /// Executes a statement about many rows, within a time limit.
    pub(crate) fn scan(&self) -> Within<'_> {
        self.database.within(ROW_TIMEOUT)
    }

    /// Calls `visit` with each row of a statement that may return very many, until it returns false or fails. Returns
    /// whether it saw all of them. If it did not, the connection is closed: the server is still sending.
    pub(crate) async fn visit_rows<E: From<StoreError>>(
        &self,
        statement: Query<'_, Postgres, PgArguments>,
        mut visit: impl FnMut(&PgRow) -> Result<bool, E>,
    ) -> Result<bool, E> {
        let mut lease = self.database.lease().await.map_err(StoreError::from_read)?;
        {
            let mut rows = statement.fetch(lease.within(ROW_TIMEOUT));
            while let Some(row) = rows.try_next().await.map_err(StoreError::from_read)? {
                if !visit(&row)? {
                    return Ok(false);
                }
                // If the server is faster than this loop, the driver never waits for a row, so yield here.
                tokio::task::consume_budget().await;
            }
        }
        lease.give_back();
        Ok(true)
    }
}
