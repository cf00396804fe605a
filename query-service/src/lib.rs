//! The query service: it answers every GET, from the read models and, for `/events`, from the log.
//!
//! - `read` gives consistent snapshots of the views in schema `read`, and waits until they have reached a position.
//! - `questions` holds what can be asked: SQL, filters and result types.
//! - `rest` is the transport: routes, parameters, cursors, problems and the OpenAPI document.
//!
//! Each may use only those above it, so that another transport can ask the same questions; a test keeps `read` and
//! `questions` free of HTTP. The crate knows no types of events and no commands, and it never writes: the log is read
//! through a `LogReader`, which cannot append. Every answer from the read models of a ledger is read in one snapshot and
//! says which position of the ledger it reflects.

mod config;
mod questions;
mod read;
mod rest;
mod role;

pub use config::QueryConfig;
pub use read::{Reader, VERSION_MIN};
pub use rest::{catalogue, openapi, router};
pub use role::{QueryServiceError, run};
