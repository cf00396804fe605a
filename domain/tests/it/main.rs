//! The ledger's decisions, as given / when / then.

mod accounts;
mod precedence;
mod properties;
mod support;
mod transactions;
