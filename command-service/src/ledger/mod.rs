//! The ledger on the engine: its HTTP commands, and the one place where domain and engine meet.

mod adapter;
mod answers;
mod events;
mod handlers;
mod parse;
mod router;
mod wire;

pub use adapter::Ledger;
pub use answers::catalogue;
pub use router::{LedgerState, router};
pub use wire::CommandKind;
