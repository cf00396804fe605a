//! The ledger on the engine: its HTTP commands, and the one place where domain and engine meet.
//!
//! [`commands`] holds the table of all commands, [`wire`] their data. The generic half of the endpoint is
//! `recount_service_kit::commands`.

mod batch;
mod bodies;
mod catalogue;
mod commands;
mod domain;
mod handlers;
mod ids;
mod ledger_name;
mod parse;
mod problems;
mod router;
mod schemas;
mod state;
mod wire;

pub use catalogue::catalogue;
pub use commands::CommandKind;
pub use domain::LedgerDomain;
pub use router::{openapi, router};
pub use schemas::command_schemas;
pub use state::LedgerState;

use recount_domain::Request;
use recount_service_kit::problem::Problem;

/// Parses the data of a command, as the command API does.
pub fn read_request(kind: CommandKind, data: &[u8]) -> Result<Request, Problem> {
    kind.parse(data, "")
}
