//! Making the read models of a ledger again, after its log went back or was rewritten.

use recount_core::{LogName, Position};
use recount_kafka::relay::RelayStore;
use recount_projection::SchemaError;
use recount_service_kit::database::Database;
use recount_store::{LogReader, StoreError};

use crate::ledger::LedgerProjection;

/// What was done for a ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remade {
    /// The end of the log that the read models are made from now; `None` if the log does not exist any more.
    pub end: Option<Position>,
    /// The rows that were deleted, in all builds.
    pub rows: u64,
}

/// Why the read models were not remade, or only those of some builds.
#[derive(Debug, thiserror::Error)]
pub enum RemakeError {
    #[error("there is no ledger `{0}`, neither in the log nor in the read models")]
    Unknown(LogName),
    #[error(transparent)]
    Schema(#[from] SchemaError),
    #[error("the event store could not be read")]
    Store(#[from] StoreError),
    #[error("the rows of the ledger could not be deleted")]
    Database(#[from] sqlx::Error),
}

/// Deletes what the read models have of a ledger. Projectors, running or not, make it again from the log; a relay publishes
/// the log again. Nothing is lost if it is called again after a failure.
pub async fn remake(
    store: &Database,
    read_models: &Database,
    ledger: &LogName,
) -> Result<Remade, RemakeError> {
    let log = ledger.key();
    recount_projection::verify(read_models, &LedgerProjection).await?;
    let found = LogReader::new(store.clone()).log(log).await?.filter(|found| found.name == *ledger);
    // The relay first: an operator who is interrupted between the two still sees that the ledger has diverged.
    RelayStore::new(store.clone()).forget(log).await?;
    let builds = recount_projection::remake(read_models, &LedgerProjection, log).await?;
    if found.is_none() && !builds.iter().any(|build| build.had_progress) {
        return Err(RemakeError::Unknown(ledger.clone()));
    }
    let rows = builds.iter().map(|build| build.rows).sum();
    Ok(Remade { end: found.map(|found| found.tip.position), rows })
}

/// The ledgers whose read models are not made from their log as it is now, by name.
pub async fn diverged_ledgers(read_models: &Database) -> Result<Vec<LogName>, RemakeError> {
    recount_projection::verify(read_models, &LedgerProjection).await?;
    Ok(recount_projection::diverged_logs(read_models, &LedgerProjection).await?)
}
