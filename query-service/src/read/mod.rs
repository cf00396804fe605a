//! Reading the read models: snapshots that know their position, and waiting for a position to be reached.
//!
//! The questions themselves are in `questions`. Nothing here knows HTTP: errors are typed, and each transport says what
//! they mean to its clients.

mod error;
mod freshness;
mod progress;
mod snapshot;
mod version;

use recount_service_kit::database;
use recount_service_kit::health::Health;
use sqlx::{PgPool, Postgres, Transaction};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(crate) use error::ReadError;
pub(crate) use freshness::Freshness;
use progress::Progress;
pub(crate) use snapshot::Snapshot;
pub use version::VERSION_MIN;
use version::Version;
pub(crate) use version::{BuildState, build_state};

/// Gives snapshots of the read models. Clones share the connections and the watch over progress.
#[derive(Clone, Debug)]
pub struct Reader {
    pool: PgPool,
    progress: Progress,
    version: Version,
}

impl Reader {
    /// Watches the progress of the read models in the background until the token is cancelled.
    pub fn start(pool: PgPool, finishing: CancellationToken) -> Reader {
        let progress = Progress::start(pool.clone(), finishing);
        let version = Version::new(pool.clone());
        Reader { pool, progress, version }
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
        let pool = &self.pool;
        database::read_again(pool, || sqlx::query("select 1 from read.progress limit 1").execute(pool))
            .await?;
        Ok(())
    }

    /// A snapshot of all ledgers, which reflects no position of any one of them.
    pub(crate) async fn all_ledgers(&self) -> Result<Transaction<'static, Postgres>, ReadError> {
        self.version.require().await?;
        snapshot::begin(&self.pool).await
    }

    /// A snapshot of a ledger that is as fresh as the caller needs it; waits for its position if necessary.
    pub(crate) async fn ledger(&self, ledger: &str, freshness: Freshness) -> Result<Snapshot, ReadError> {
        self.version.require().await?;
        let at_least = freshness.at_least();
        let deadline = Instant::now() + freshness.timeout();
        loop {
            let (transaction, progress) = snapshot::begin_of_ledger(&self.pool, ledger).await?;
            let position = progress.map_or(0, |progress| progress.position);
            let known = progress.filter(|progress| progress.known);
            let unknown = || ReadError::LedgerUnknown { ledger: ledger.to_owned() };
            if position >= at_least {
                let progress = known.ok_or_else(unknown)?;
                return Ok(Snapshot::new(transaction, progress, freshness));
            }
            // Waiting holds no connection.
            drop(transaction);
            if !self.progress.wait_for(ledger, at_least, deadline).await? {
                return Err(match known {
                    Some(_) => ReadError::NotReached { ledger: ledger.to_owned(), position, at_least },
                    None => unknown(),
                });
            }
        }
    }
}
