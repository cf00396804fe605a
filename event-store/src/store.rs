//! The handle on the store that all operations hang on.

use std::sync::{Arc, Mutex, PoisonError};

use sqlx::pool::PoolConnection;
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
}
