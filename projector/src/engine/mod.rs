//! The generic half: any projection of any domain, kept up to date with the log.
//!
//! A [`Projection`] says what a batch of events does to its tables. The [`Engine`] applies batches of one log in
//! order, each in one transaction with the progress it makes, and reads from the store whatever is missing. Who
//! brings the news is a source: [`tail_store`] or [`follow_kafka`], which share all of that. A changed projection gets
//! a build beside the one that readers see, and [`go_live()`] brings it to them once it has caught up.
//!
//! What must not be here: any word of a domain.

mod announce;
mod apply;
mod catch_up;
mod go_live;
mod kafka;
mod progress;
mod projection;
mod schema;
mod status;
mod swap;
mod sweep;
mod tail;

pub use apply::{Applied, ApplyFailure};
pub use catch_up::{Engine, Outcome, Setback};
pub use go_live::go_live;
pub use kafka::follow_kafka;
pub use progress::{Progress, Stopped};
pub use projection::{ApplyError, LogBatch, Projection};
pub use schema::{SchemaError, migrate, verify};
pub use status::{Catching, Status, StatusReport};
pub use tail::tail_store;
