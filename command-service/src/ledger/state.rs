//! What the handlers share: the engine, the name in the path, and what the store's failures mean to a caller.

use recount_core::{LogName, NameError};
use recount_service_kit::problem::{Problem, kinds};
use recount_store::StoreError;

use super::adapter::Ledger;
use recount_writer::CommandEngine;

/// What the handlers work with.
#[derive(Clone, Debug)]
pub struct LedgerState {
    pub engine: CommandEngine<Ledger>,
}

/// The ledger that the path names.
pub(super) fn ledger_name(name: &str) -> Result<LogName, Problem> {
    name.parse().map_err(|error: NameError| {
        let NameError { name, rule, .. } = error;
        Problem::new(&kinds::INVALID_REQUEST, format!("`{name}` is not the name of a ledger: {rule}."))
    })
}

/// What a caller is told of a failure of the store; the operator finds the cause in the log.
pub(super) fn store_problem(error: StoreError) -> Problem {
    match &error {
        StoreError::KeyCollision { .. } => Problem::new(&kinds::INVALID_REQUEST, error.to_string()),
        _ if error.retryable() => {
            tracing::warn!(?error, "the store cannot be reached");
            Problem::new(&kinds::STORE_UNAVAILABLE, "The event store cannot be reached. Nothing was done.")
                .retry_after_seconds(2)
        }
        _ => {
            tracing::error!(?error, "the store refused a statement");
            Problem::new(&kinds::INTERNAL, "The request could not be processed.")
        }
    }
}
