//! Failures of the event store as problems.

use crate::problem::{Problem, kinds};
use recount_store::StoreError;

/// `Retry-After` while the store cannot be reached.
const UNAVAILABLE_RETRY_SECONDS: u64 = 2;

/// The problem that the caller gets. The operator finds the cause in the process output.
pub fn store_problem(error: StoreError) -> Problem {
    match &error {
        StoreError::KeyCollision { .. } => Problem::new(&kinds::INVALID_REQUEST, error.to_string()),
        _ if error.retryable() => {
            tracing::warn!(?error, "the event store cannot be reached");
            Problem::new(&kinds::STORE_UNAVAILABLE, "The event store cannot be reached. Nothing was done.")
                .retry_after_seconds(UNAVAILABLE_RETRY_SECONDS)
        }
        _ => {
            tracing::error!(?error, "the event store refused a statement");
            Problem::new(&kinds::INTERNAL, "The request could not be processed.")
        }
    }
}
