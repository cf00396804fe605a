//! A private Postgres and a real Apache Kafka as child processes, for `recount up` and for the tests.
//!
//! Both follow one pattern. A data folder belongs to one process at a time, which holds a lock on it. The
//! child is told to stop when its parent dies, and whatever an earlier parent left behind all the same
//! (running servers, stale pid files, half-made folders) is cleared away by the next start, so that a kill
//! at any moment needs no repair by hand. Processes are only ever signalled when `/proc` proves that they
//! run on this very data folder.
//!
//! What must not be here: anything of Recount's schemas, topics or services. This crate hands out a URL and a
//! bootstrap address, and keeps what is behind them alive.

mod cache;
mod child;
mod error;
mod folders;
pub mod kafka;
mod launcher;
mod lock;
mod log;
mod orphans;
pub mod postgres;

pub use cache::default_cache_dir;
pub use child::Exit;
pub use error::EmbeddedError;
pub use kafka::Kafka;
pub use postgres::Postgres;
