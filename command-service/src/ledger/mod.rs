//! The ledger on the engine: its HTTP commands, and the one place where domain and engine meet.

// Before the modules that use its macro.
#[macro_use]
mod wire;

mod adapter;
mod answers;
mod events;
mod handlers;
mod parse;
mod problems;
mod router;
mod schemas;
mod state;

pub use adapter::Ledger;
pub use answers::catalogue;
pub use router::router;
pub use schemas::command_schemas;
pub use state::LedgerState;
pub use wire::CommandKind;

use recount_domain::Request;
use recount_service_kit::problem::Problem;

/// The request that a command's data in JSON stands for, as the command API reads it.
pub fn read_request(kind: CommandKind, data: &[u8]) -> Result<Request, Problem> {
    parse::request(kind, data, "")
}

/// A clause as a sentence: with a capital letter where it starts with a letter, and a full stop.
fn sentence(clause: &str) -> String {
    let mut characters = clause.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", characters.as_str())
}
