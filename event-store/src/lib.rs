//! The log in Postgres: append, read, feed, entities, outcomes, deadlines.
//!
//! The log is the truth; everything else in Recount can be thrown away and made again from here. This crate knows
//! events, tags and positions, and no domain: what an event means is not its business. It decides nothing either:
//! who appends, and what, is the writer's.

mod append;
mod deadlines;
mod entities;
mod error;
mod logs;
pub mod migrations;
mod moves;
mod news;
mod outcomes;
mod read;
pub mod relay;
mod store;

pub use append::{Append, Appended};
pub use deadlines::{Deadline, DeadlineChange};
pub use entities::{EntityRow, Seen, Snapshot, tag_hash};
pub use error::StoreError;
pub use logs::{Log, MovedLog};
pub use moves::{Look, Moves};
pub use news::{News, Notifier};
pub use outcomes::{KeyHash, NewOutcome, RecordedOutcome, RequestHash};
pub use store::{EventStore, SERVICE_ROLE};
