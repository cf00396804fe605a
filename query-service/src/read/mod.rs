//! Reading the read models: snapshots that know their position, and waiting for a position to be reached.
//!
//! The questions themselves are asked by the modules of `api`, each its own.

mod progress;
mod snapshot;
mod version;
mod wish;

use recount_service_kit::database;
use recount_service_kit::health::Health;
use recount_service_kit::problem::{Problem, kinds};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use progress::Progress;
pub(crate) use snapshot::{Snapshot, failed};
pub use version::VERSION_MIN;
use version::Version;
pub(crate) use version::{Standing, standing};
pub(crate) use wish::{AT_LEAST, POSITION, Wish};

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

    /// Whether there are the read models that the queries need. The error is public.
    pub async fn check(&self) -> Result<(), String> {
        self.version.require().await.map_err(|problem| problem.detail().to_owned())?;
        let pool = &self.pool;
        let ask = || sqlx::query("select 1 from read.progress limit 1").execute(pool);
        match database::read_again(pool, ask).await {
            Ok(_) => Ok(()),
            Err(error) => {
                tracing::warn!(%error, "the read models cannot be read");
                Err("the read models cannot be read".to_owned())
            }
        }
    }

    /// A snapshot of everything, which reflects no position of one ledger.
    pub(crate) async fn everything(&self) -> Result<sqlx::Transaction<'static, sqlx::Postgres>, Problem> {
        self.version.require().await?;
        snapshot::begin(&self.pool, None).await.map(|(transaction, _)| transaction)
    }

    /// A snapshot of a ledger at the position that the caller wishes to see, or at a later one.
    pub(crate) async fn ledger(&self, ledger: &str, wish: &Wish) -> Result<Snapshot, Problem> {
        self.version.require().await?;
        let deadline = tokio::time::Instant::now() + wish.wait();
        loop {
            let (transaction, found) = snapshot::begin(&self.pool, Some(ledger)).await?;
            let reached = found.map_or(0, |found| found.position);
            if reached >= wish.at_least() {
                return match found {
                    Some(found) if found.known => Ok(Snapshot::new(transaction, found, wish.applied())),
                    _ => Err(unknown(ledger)),
                };
            }
            // Waiting holds no connection.
            drop(transaction);
            if !self.progress.reach(ledger, wish.at_least(), deadline).await? {
                return Err(match found {
                    Some(found) if found.known => not_reached(ledger, wish, found.position),
                    _ => unknown(ledger),
                });
            }
        }
    }
}

fn unknown(ledger: &str) -> Problem {
    Problem::new(&crate::api::LEDGER_UNKNOWN, format!("There is no ledger `{ledger}`."))
        .with("ledger", ledger)
}

fn not_reached(ledger: &str, wish: &Wish, position: i64) -> Problem {
    let asked = wish.at_least();
    Problem::new(
        &kinds::POSITION_NOT_REACHED,
        format!("The read model of `{ledger}` is at position {position}, not yet at {asked}."),
    )
    .with("position", position)
    .with("at_least", asked)
}
