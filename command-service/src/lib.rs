//! HTTP commands become events in the log; the log is relayed to Kafka.
//!
//! [`engine`], [`deadlines`] and [`relay`] are generic: they name no domain. [`ledger`] is the command API of the ledger and the one
//! place where the ledger's domain meets the engine. What is read from read models is not here.

mod config;
pub mod deadlines;
pub mod engine;
pub mod ledger;
pub mod relay;
mod role;
mod service;

pub use config::{CommandServiceConfig, EngineArgs, topic};
pub use role::{CommandServiceError, connect, run};
pub use service::CommandService;
