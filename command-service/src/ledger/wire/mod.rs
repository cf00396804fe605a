//! The data of the commands as it comes over HTTP, and its way into the domain.
//!
//! Checked here is form: types, names, amounts, sizes. Whether a command is accepted is the domain's decision.

// Before the modules that use its macro.
#[macro_use]
mod expectations;

pub(super) mod accounts;
pub(super) mod customers;
mod fields;
mod free_json;
pub(super) mod holds;
pub(super) mod ledgers;
pub(super) mod metadata;
mod policies;
pub(super) mod transactions;

pub(super) use expectations::{CommandData, expectations};
pub(super) use fields::FormError;
