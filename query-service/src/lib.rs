//! The query service: read models become REST answers.
//!
//! It reads the views in schema `read`, and which version they are of, and nothing else; it knows no event and no command. Every answer says which
//! position of its ledger it reflects, and is read in one snapshot, so that this is true of all of it.

mod api;
mod config;
mod read;
mod service;

pub use api::{catalogue, router};
pub use config::QueryConfig;
pub use read::{Reader, VERSION_MIN};
pub use service::{QueryServiceError, run};
