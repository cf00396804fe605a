//! What every process of Recount needs: time and ids, configuration, logs and metrics, health, problems, identity,
//! an HTTP server and an orderly end.
//!
//! Nothing here knows a ledger, an event or a command.

pub mod clock;
pub mod config;
pub mod database;
pub mod health;
pub mod http;
pub mod identity;
pub mod ids;
pub mod problem;
pub mod shutdown;
pub mod telemetry;

/// The real time and new ids, for the engine.
pub fn environment() -> recount_core::Environment {
    recount_core::Environment::new(clock::now, ids::new_id)
}
