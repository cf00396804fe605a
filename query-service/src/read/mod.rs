//! Reading the read models: snapshots that know their position, and waiting for a position to be reached.
//!
//! The questions themselves are in `questions`. Nothing here knows HTTP: errors are typed, and each transport says what
//! they mean to its clients.

mod error;
mod freshness;
mod progress;
mod snapshot;
mod version;

use std::sync::Arc;
use std::time::Duration;

use recount_service_kit::database::{Database, read_again};
use recount_service_kit::health::Health;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

pub(crate) use error::ReadError;
pub(crate) use freshness::Freshness;
use progress::Progress;
pub(crate) use snapshot::{Moment, Snapshot};
pub use version::VERSION_MIN;
use version::Version;
pub(crate) use version::{BuildState, build_state};

/// The number of reads that may last minutes: a part of the connections, so that other questions are answered too.
const LONG_READS_MAX: usize = 4;
/// How long to wait for one of them to end.
const LONG_READ_WAIT_TIMEOUT: Duration = Duration::from_secs(5);

/// Gives snapshots of the read models. Clones share the connections and the watch over progress.
#[derive(Clone, Debug)]
pub struct Reader {
    database: Database,
    progress: Progress,
    version: Version,
    long_reads: Arc<Semaphore>,
}

/// The right to read for long. Others wait for it to be dropped.
#[derive(Debug, Default)]
pub(crate) struct LongRead {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Reader {
    /// Watches the progress of the read models in the background until the token is cancelled.
    pub fn start(database: impl Into<Database>, finishing: CancellationToken) -> Reader {
        let database = database.into();
        let progress = Progress::start(database.clone(), finishing);
        let version = Version::new(database.clone());
        let long_reads = Arc::new(Semaphore::new(LONG_READS_MAX));
        Reader { database, progress, version, long_reads }
    }

    /// Adds the check that queries can be answered.
    pub fn watch(&self, health: &Health) {
        let reader = self.clone();
        health.add("queries", move || {
            let reader = reader.clone();
            async move { reader.check().await }
        });
    }

    /// Checks that the read models have what the queries need. The error may be shown to anybody.
    pub async fn check(&self) -> Result<(), String> {
        self.probe().await.map_err(|error| {
            if let ReadError::Database(cause) = &error {
                tracing::warn!(error = %cause, "the read models cannot be read");
            }
            error.to_string()
        })
    }

    async fn probe(&self) -> Result<(), ReadError> {
        self.version.require().await?;
        let database = &self.database;
        let look = || {
            sqlx::query("select 1 from read.progress limit 1")
                .execute(database.within(snapshot::BEGIN_TIMEOUT))
        };
        read_again(database, look).await?;
        Ok(())
    }

    /// Waits for a turn to read for long. Takes no connection.
    pub(crate) async fn long_read(&self) -> Result<LongRead, ReadError> {
        let turn = timeout(LONG_READ_WAIT_TIMEOUT, Arc::clone(&self.long_reads).acquire_owned()).await;
        match turn {
            Ok(Ok(permit)) => Ok(LongRead { _permit: Some(permit) }),
            _ => Err(ReadError::TooManyLongReads),
        }
    }

    /// A snapshot of all ledgers, which reflects no position of any one of them.
    pub(crate) async fn all_ledgers(&self) -> Result<Moment, ReadError> {
        self.version.require().await?;
        Moment::begin(&self.database).await
    }

    /// A snapshot of a ledger that is as fresh as the caller needs it; waits for its position if necessary.
    pub(crate) async fn ledger(&self, ledger: &str, freshness: Freshness) -> Result<Snapshot, ReadError> {
        self.version.require().await?;
        let at_least = freshness.at_least();
        let deadline = Instant::now() + freshness.timeout();
        loop {
            let (moment, progress) = snapshot::begin_of_ledger(&self.database, ledger).await?;
            if progress.is_some_and(|progress| progress.diverged) {
                return Err(ReadError::Diverged { ledger: ledger.to_owned() });
            }
            let position = progress.map_or(0, |progress| progress.position);
            let known = progress.filter(|progress| progress.known);
            let unknown = || ReadError::LedgerUnknown { ledger: ledger.to_owned() };
            if position >= at_least {
                let progress = known.ok_or_else(unknown)?;
                return Ok(Snapshot::new(moment, progress, freshness));
            }
            // Waiting holds no connection.
            drop(moment);
            if !self.progress.wait_for(ledger, at_least, deadline).await? {
                return Err(match known {
                    Some(_) => ReadError::NotReached { ledger: ledger.to_owned(), position, at_least },
                    None => unknown(),
                });
            }
        }
    }
}
