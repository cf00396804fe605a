//! The ledger that a path names.

use recount_core::{LogName, NameError};
use recount_service_kit::problem::{Problem, kinds};

/// The log of the ledger of this name.
pub(super) fn ledger_name(name: &str) -> Result<LogName, Problem> {
    name.parse().map_err(|error: NameError| {
        let NameError { name, rule, .. } = error;
        Problem::new(&kinds::INVALID_REQUEST, format!("`{name}` is not a valid ledger name: {rule}."))
    })
}
