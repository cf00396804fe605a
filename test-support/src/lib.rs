//! Worlds for tests: a database of one's own, a topic of one's own, a free address, and a way to wait for a condition.
//!
//! The servers behind them are those that `cargo xtask test` starts and names in the environment. What must
//! not be here: anything of Recount's own crates, which would tie each crate's tests to all the others.

mod database;
mod kafka;
mod ports;
mod unique;
mod wait;

pub use database::TestDatabase;
pub use kafka::{kafka_brokers, unique_topic};
pub use ports::free_address;
pub use unique::unique_name;
pub use wait::{eventually, eventually_blocking, eventually_some};

/// A test that lacks its server fails: one that skipped itself would look like one that passed.
fn required(variable: &str) -> String {
    match std::env::var(variable) {
        Ok(value) if !value.is_empty() => value,
        _ => panic!("{variable} is not set: run the tests with `cargo xtask test`, or set it"),
    }
}
