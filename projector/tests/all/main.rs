//! The projector on a real Postgres, at `RECOUNT_TEST_DATABASE_URL`, and behind a real Apache Kafka, at
//! `RECOUNT_TEST_KAFKA`. `cargo xtask test` starts both and sets these.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod engine;
mod kafka;
mod ledger;
mod role;
mod support;
mod upgrade;
