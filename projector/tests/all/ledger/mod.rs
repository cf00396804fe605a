//! The ledger's read models compared with the events they are built from, on a real Postgres.

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
