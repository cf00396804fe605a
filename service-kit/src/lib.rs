//! What every process of Recount needs: time and ids, settings, output and metrics, health, problems, an HTTP server and
//! an orderly shutdown.
//!
//! Nothing here knows a domain, an event or a command.

pub mod clock;
pub mod config;
pub mod database;
pub mod error;
pub mod health;
pub mod http;
pub mod ids;
pub mod problem;
pub mod shutdown;
pub mod telemetry;

/// The real time and new ids, for the engine.
pub fn environment() -> recount_core::Environment {
    recount_core::Environment::new(clock::now, ids::new_id)
}
