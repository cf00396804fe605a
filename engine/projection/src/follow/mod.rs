//! Following logs: bringing a build up to date and keeping it so.
//!
//! `engine` applies the events of one log from the store, and `feed` those that another source brings. `apply` is the transaction in which it
//! does so, with the `progress` of the build. `tail` follows the store, and `repair` runs beside another feed.
//! `status` is the state of the build for operators.

mod announce;
pub(crate) mod apply;
pub(crate) mod engine;
mod feed;
mod lagging;
pub(crate) mod progress;
pub(crate) mod repair;
pub(crate) mod status;
pub(crate) mod tail;
