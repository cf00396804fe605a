//! The handle on the store that all operations hang on.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::TryStreamExt;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{PgPool, Postgres};

use crate::error::StoreError;

/// The database role that may append to the log and may not change it.
pub const SERVICE_ROLE: &str = "recount_service";

/// Connections that are kept for appending. A busy writer comes back to the one it used last, whose backend has its
/// plans and catalogues at hand; the pool would hand its connections out in turn.
const WARM_CONNECTIONS_MAX: usize = 4;

/// The event store of one database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct EventStore {
    pool: PgPool,
    warm: Arc<Mutex<Vec<PoolConnection<Postgres>>>>,
}

impl EventStore {
    pub fn new(pool: PgPool) -> EventStore {
        EventStore { pool, warm: Arc::default() }
    }

    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// The connection that was used for appending last, or another one.
    pub(crate) async fn take_warm(&self) -> Result<PoolConnection<Postgres>, StoreError> {
        let kept = self.warm.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match kept {
            Some(connection) => Ok(connection),
            None => self.pool.acquire().await.map_err(StoreError::from_read),
        }
    }

    /// Keeps a connection that works for the next append.
    pub(crate) fn keep_warm(&self, connection: PoolConnection<Postgres>) {
        let mut warm = self.warm.lock().unwrap_or_else(PoisonError::into_inner);
        if warm.len() < WARM_CONNECTIONS_MAX {
            warm.push(connection);
        }
    }

    /// Gives the kept connections up: where one has failed, the server may be gone for all of them.
    pub(crate) fn forget_warm(&self) {
        self.warm.lock().unwrap_or_else(PoisonError::into_inner).drain(..).for_each(|mut connection| {
            connection.close_on_drop();
        });
    }

    /// Shows `visit` the rows of a statement that may have a great many, for as long as it wants more and does not fail.
    /// Answers whether it was shown all.
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
                // As long as the server is faster than this loop, the driver finds every row there and never waits.
                tokio::task::consume_budget().await;
            }
        }
        reading.is_over = true;
        Ok(true)
    }
}

/// A connection with a statement under way. Given up before its end it is closed: the pool would read all that is left
/// before it lends the connection again.
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
