//! HTTP commands become events in the log; the log is relayed to Kafka.
//!
//! [`ledger`] is the command API of the ledger and the place where the ledger's domain meets the engine
//! (`recount-writer`). [`CommandService`] runs the engine, the deadline worker and the relay together; [`run`] is the role
//! as a process. What must not be here: decisions, which are the domain's, and anything that answers a GET.

mod config;
pub mod ledger;
mod role;
mod service;

pub use config::{CommandServiceConfig, EngineArgs, topic};
pub use role::{CommandServiceError, connect, run};
pub use service::CommandService;
