//! The projector on a real Postgres (`RECOUNT_TEST_DATABASE_URL`) and with a real Apache Kafka (`RECOUNT_TEST_KAFKA`).
//! `cargo xtask test` starts both and sets these variables.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod diverged;
mod engine;
mod kafka;
mod ledger;
mod role;
mod support;
mod upgrade;
