//! Events to read models.
//!
//! [`ledger`] is the projection of the ledger; the engine that keeps it up to date is `recount-projection`. [`Projector`]
//! runs the two together, with Kafka or without; [`run`] is the role as a process. What must not be here: answering
//! queries, deciding commands, publishing.

pub mod ledger;
mod remake;
mod role;
mod service;

pub use remake::{Remade, RemakeError, diverged_ledgers, remake};
pub use role::{ProjectorConfig, ProjectorError, run};
pub use service::{Projector, StartError, migrate};
