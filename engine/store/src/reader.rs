//! Reading logs: the handle that all reads hang on. It has no method that changes anything.

use futures_util::TryStreamExt;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{PgPool, Postgres};

use crate::error::StoreError;

/// Reads the logs of one database. It cannot write, so whoever only follows logs gets this type and no other. Cheap to
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

    /// Shows `visit` the rows of a statement that may return very many, until it has enough or fails. Returns whether it
    /// saw all of them.
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
                // If the server is faster than this loop, every row is there already and the driver never waits: yield.
                tokio::task::consume_budget().await;
            }
        }
        reading.is_over = true;
        Ok(true)
    }
}

/// A connection with a running statement. Dropped before the end of the statement, it is closed: the pool would read all
/// remaining rows before it lends the connection again.
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
