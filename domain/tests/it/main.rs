//! The ledger's decisions, as given / when / then.

#![expect(clippy::unwrap_used, reason = "a test that fails here has failed")]
#![expect(clippy::result_large_err, reason = "a decision is looked at once, where it is made")]

mod accounts;
mod balances;
mod chart;
mod commands;
mod customers;
mod expectations;
mod explain;
mod histories;
mod holds;
mod limits;
mod metadata;
mod model;
mod periods;
mod precedence;
mod properties;
mod reversals;
mod support;
mod transactions;
