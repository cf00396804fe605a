//! The ledger's read models against the events that they are made of, on a real Postgres.

mod accounts;
mod batches;
mod book;
mod contradictions;
mod customers;
mod history;
mod holds;
mod ledgers;
mod lookups;
mod metadata;
mod times;
mod transactions;
mod views;
