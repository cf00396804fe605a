//! What every process of Recount needs: time and ids, settings, output and metrics, health, problems, an HTTP server and
//! an orderly shutdown.
//!
//! Feature `commands` adds [`commands`]: a command endpoint over any domain of the engine.
//!
//! Who may rely on it: services, whatever their domain. What must not be here: any word of a domain, any schema, any
//! decision about what a caller may do.

// Before the modules that use its macros.
#[macro_use]
mod json_types;

pub mod clock;
#[cfg(feature = "commands")]
pub mod commands;
pub mod config;
pub mod database;
pub mod health;
pub mod http;
pub mod ids;
pub mod problem;
pub mod shutdown;
pub mod startup;
pub mod telemetry;
pub mod test_kit;
