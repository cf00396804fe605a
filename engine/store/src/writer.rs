//! The handle for changing logs.

use std::sync::{Arc, Mutex, PoisonError};

use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres};

use crate::error::StoreError;
use crate::reader::LogReader;

/// The database role that may append to logs and may not change events.
pub const SERVICE_ROLE: &str = "recount_service";

/// Connections that are kept for appending. A busy writer gets back the connection that it used last, whose backend has
/// cached its plans and catalogues. The pool would take its connections in turn.
const WARM_CONNECTIONS_MAX: usize = 4;

/// Appends to the logs of one database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct LogWriter {
    reader: LogReader,
    warm: Arc<Mutex<Vec<PoolConnection<Postgres>>>>,
}

impl LogWriter {
    pub fn new(pool: PgPool) -> LogWriter {
        LogWriter { reader: LogReader::new(pool), warm: Arc::default() }
    }

    /// The reader of the same logs.
    pub fn reader(&self) -> &LogReader {
        &self.reader
    }

    pub(crate) fn pool(&self) -> &PgPool {
        self.reader.pool()
    }

    /// The connection that was used last for appending, or another one.
    pub(crate) async fn take_warm(&self) -> Result<PoolConnection<Postgres>, StoreError> {
        let kept = self.warm.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match kept {
            Some(connection) => Ok(connection),
            None => self.pool().acquire().await.map_err(StoreError::from_read),
        }
    }

    /// Keeps a working connection for the next append.
    pub(crate) fn keep_warm(&self, connection: PoolConnection<Postgres>) {
        let mut warm = self.warm.lock().unwrap_or_else(PoisonError::into_inner);
        if warm.len() < WARM_CONNECTIONS_MAX {
            warm.push(connection);
        }
    }

    /// Closes the kept connections: if one has failed, the server may be gone for all of them.
    pub(crate) fn forget_warm(&self) {
        self.warm.lock().unwrap_or_else(PoisonError::into_inner).drain(..).for_each(|mut connection| {
            connection.close_on_drop();
        });
    }
}
