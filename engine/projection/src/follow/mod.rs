//! Following logs: bringing a build up to date and keeping it there.
//!
//! [`engine`] brings one log forward, by the events that a feed brings and by those in the store; [`apply`] is the one
//! transaction that does it, with its [`progress`]. [`tail`] follows the store; [`repair`] watches over another feed.
//! [`status`] tells operators how the build is doing.

mod announce;
pub(crate) mod apply;
pub(crate) mod engine;
mod lagging;
pub(crate) mod progress;
pub(crate) mod repair;
pub(crate) mod status;
pub(crate) mod tail;
