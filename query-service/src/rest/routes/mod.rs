//! The routes, a module for each resource: its parameters, its handlers, and their descriptions in the OpenAPI document.

pub(super) mod accounts;
pub(super) mod assets;
pub(super) mod customers;
pub(super) mod events;
pub(super) mod holds;
pub(super) mod ledgers;
pub(super) mod metadata_history;
pub(super) mod statement;
pub(super) mod transactions;
pub(super) mod trial_balance;
