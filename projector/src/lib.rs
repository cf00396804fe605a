//! Events to read models.
//!
//! [`engine`] keeps any projection up to date with the log, from the store or from Kafka; [`ledger`] is the ledger's
//! projection. [`Projector`] runs the two together in this process, [`run`] is the role. What must not be here:
//! answering queries, deciding commands, publishing.

pub mod engine;
pub mod ledger;
mod role;
mod service;

pub use role::{ProjectorConfig, ProjectorError, run};
pub use service::{Projector, StartError, migrate};
