//! The handle for reading logs. It has no method that changes anything.

use futures_util::TryStreamExt;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{PgPool, Postgres};

use crate::error::StoreError;

/// Reads the logs of one database. It cannot write: code that only follows logs gets this type and no other. Cheap to
/// clone.
#[derive(Clone, Debug)]
pub struct LogReader {
    pool: PgPool,
}

impl LogReader {
    pub fn new(pool: PgPool) -> LogReader {
        LogReader { pool }
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Calls `visit` with each row of a statement that may return very many, until it returns false or fails. Returns
    /// whether it saw all of them.
    pub(crate) async fn visit_rows<E: From<StoreError>>(
        &self,
        statement: Query<'_, Postgres, PgArguments>,
        mut visit: impl FnMut(&PgRow) -> Result<bool, E>,
    ) -> Result<bool, E> {
        let mut reading =
            Reading { connection: self.pool.acquire().await.map_err(StoreError::from_read)?, is_over: false };
        {
            let mut rows = statement.fetch(&mut *reading.connection);
            while let Some(row) = rows.try_next().await.map_err(StoreError::from_read)? {
                if !visit(&row)? {
                    return Ok(false);
                }
                // If the server is faster than this loop, the driver never waits for a row, so yield here.
                tokio::task::consume_budget().await;
            }
        }
        reading.is_over = true;
        Ok(true)
    }
}

/// A connection with a running statement. If it is dropped before the statement ends, the connection is closed: the
/// pool would have to read all remaining rows before it can lend the connection again.
#[derive(Debug)]
struct Reading {
    connection: PoolConnection<Postgres>,
    is_over: bool,
}

impl Drop for Reading {
    fn drop(&mut self) {
        if !self.is_over {
            self.connection.close_on_drop();
        }
    }
}
