//! What tests need around them: a database of their own, a topic of their own, a free address, and a way to wait for a
//! condition.
//!
//! The servers are those that `cargo xtask test` starts and names in the environment, or those of a running `cargo
//! xtask servers`. Code of Recount's own crates does not belong here: it would tie the tests of each crate to all
//! others.

mod database;
mod kafka;
mod ports;
mod proxy;
mod servers_file;
mod unique;
mod wait;

pub use database::{TestDatabase, database_url};
pub use kafka::{kafka_brokers, unique_topic};
pub use ports::free_address;
pub use proxy::Proxy;
pub use unique::unique_name;
pub use wait::{eventually, eventually_blocking, eventually_some};

/// A test that lacks its server fails: if it skipped itself, it would look as if it had passed.
fn required(variable: &str) -> String {
    let given = std::env::var(variable).ok().filter(|value| !value.is_empty());
    given.or_else(|| servers_file::value(variable)).unwrap_or_else(|| {
        panic!(
            "this test needs a server: run it with `cargo xtask test`, or keep `cargo xtask servers --kafka` running, or \
             set {variable}. (If this is a run of `cargo xtask test`: does the package declare the server under \
             [package.metadata.recount] in its Cargo.toml?)"
        )
    })
}
