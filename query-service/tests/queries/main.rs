//! The query service as its clients see it, on a real Postgres.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod answers;
mod document;
mod events;
mod freshness;
mod layering;
mod letting_go;
mod pages;
mod refusals;
mod role;
mod trial_balance;
mod world;
