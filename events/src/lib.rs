//! What happened: the durable contract of Recount.
//!
//! Here live the [envelope](envelope) that every event of every domain travels in, and the [ledger's
//! events](ledger) with their codec. Whatever is in this crate ends up in a database, on a topic or in an
//! auditor's hands for years, so its shapes change only by new schema versions.
//!
//! What must not be here: I/O of any kind, a clock, randomness, decisions. Time and ids come in with the command.

pub mod envelope;
pub mod ledger;
pub mod names;

pub use envelope::{LogKey, NewEvent, Position, RecordedEvent, Tag};
pub use names::{LogName, NameError};
