//! The ledger's decisions, as given / when / then.

#![expect(clippy::unwrap_used, reason = "a test that fails here has failed")]

mod accounts;
mod precedence;
mod properties;
mod support;
mod transactions;
