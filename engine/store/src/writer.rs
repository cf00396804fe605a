//! The handle for changing logs.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use recount_postgres::{Database, Lease, Within};

use crate::error::StoreError;
use crate::reader::LogReader;

/// The database role that may append to logs and may not change events.
pub const SERVICE_ROLE: &str = "recount_service";

/// Connections that are kept for appending. A busy writer gets back the connection that it used last, whose backend has
/// cached its plans and catalogues. The pool would take its connections in turn.
const WARM_CONNECTIONS_MAX: u32 = 4;
/// The part of the pool that may be kept: the reads of a small pool must not wait for ever.
const WARM_SHARE: u32 = 4;
/// How long a connection is kept without use. After that, the server may be gone without anybody having noticed.
const WARM_TIMEOUT: Duration = Duration::from_secs(30);

/// Appends to the logs of one database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct LogWriter {
    reader: LogReader,
    warm: Arc<Mutex<Vec<(Lease, Instant)>>>,
}

impl LogWriter {
    pub fn new(database: impl Into<Database>) -> LogWriter {
        LogWriter { reader: LogReader::new(database), warm: Arc::default() }
    }

    /// The reader of the same logs.
    pub fn reader(&self) -> &LogReader {
        &self.reader
    }

    pub(crate) fn database(&self) -> &Database {
        self.reader.database()
    }

    /// Executes a statement about few rows, within a time limit.
    pub(crate) fn brief(&self) -> Within<'_> {
        self.reader.brief()
    }

    /// The connection that was used last for appending, or another one.
    pub(crate) async fn take_warm(&self, limit: Duration) -> Result<Lease, StoreError> {
        match self.last_warm() {
            Some(lease) => Ok(lease),
            None => self.database().lease_within(limit).await.map_err(StoreError::from_read),
        }
    }

    fn last_warm(&self) -> Option<Lease> {
        let mut warm = self.warm.lock().unwrap_or_else(PoisonError::into_inner);
        // Dropping them closes them.
        warm.retain(|(_, kept_at)| kept_at.elapsed() < WARM_TIMEOUT);
        warm.pop().map(|(lease, _)| lease)
    }

    /// Keeps a working connection for the next append.
    pub(crate) fn keep_warm(&self, lease: Lease) {
        let warm_max = WARM_CONNECTIONS_MAX.min(self.database().connections_max() / WARM_SHARE);
        let mut warm = self.warm.lock().unwrap_or_else(PoisonError::into_inner);
        if warm.len() < warm_max as usize {
            warm.push((lease, Instant::now()));
        } else {
            lease.give_back();
        }
    }

    /// Closes the kept connections: if one has failed, the server may be gone for all of them.
    pub(crate) fn forget_warm(&self) {
        self.warm.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
