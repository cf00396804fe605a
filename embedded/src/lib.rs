//! A private Postgres and a real Apache Kafka as child processes, for `recount up` and for the tests.
//!
//! Both follow one pattern. A data folder belongs to one process at a time, which holds a lock on it. The child gets a
//! signal when its parent dies. Anything that an earlier parent left behind all the same (running servers, stale pid
//! files, incomplete folders) is removed by the next start, so a kill at any moment needs no manual repair. A process is
//! signalled only if `/proc` proves that it runs on this data folder.
//!
//! What must not be here: anything of Recount's schemas, topics or services. This crate provides a URL and a bootstrap
//! address, and keeps the servers behind them running.

mod cache;
mod child;
mod error;
mod folders;
pub mod kafka;
mod launcher;
mod lock;
mod orphans;
mod output;
pub mod postgres;

pub use cache::default_cache_dir;
pub use child::Exit;
pub use error::EmbeddedError;
pub use kafka::Kafka;
pub use postgres::Postgres;
