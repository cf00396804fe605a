//! The import: a journal of postings, as CSV, becomes transactions of a ledger.
//!
//! The import submits commands to the engine that the command service runs on. It can be repeated, and run beside the
//! services: the id of each transaction is derived from its name in the file, so a transaction that was imported before is
//! recognised and not posted twice.
//!
//! This crate starts nothing: its caller brings the engine.

mod args;
mod balance;
mod decimal;
mod format;
mod importer;
mod journal;
mod names;
mod plan;
mod reader;
mod report;

pub use args::ImportArgs;
pub use importer::Import;
pub use report::Report;
