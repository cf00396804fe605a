//! The vocabulary of the engine: [events](RecordedEvent), their [positions](Position) in a [log](LogName), and the
//! [tags](Tag) by which an entity finds its own.
//!
//! A **log** is a sequence of events at positions 1, 2, 3 … without a gap. It has a [`LogName`] for people and a
//! [`LogKey`], derived from the name, for the store. A decided event is a [`NewEvent`]; once it is in its log it is a
//! [`RecordedEvent`], and it never changes. Each event names the entities that it concerns by their tags, so that the
//! history of one entity is the events that carry its tag.
//!
//! ```
//! use recount_core::{LogName, Position, Tag};
//!
//! let log: LogName = "box-office".parse()?;
//! let show = Tag::new("show", "hamlet");
//! assert_eq!(show.as_str(), "show:hamlet");
//! assert_eq!(show.parts(), ("show", "hamlet"));
//! assert_eq!(Position::START.next(), Position(1));
//! assert_eq!(log.key(), "box-office".parse::<LogName>()?.key());
//! # Ok::<(), recount_core::NameError>(())
//! ```
//!
//! # The wing
//!
//! This is the ground floor of five crates, each of which does one thing:
//!
//! | crate | what it does |
//! | --- | --- |
//! | `recount-core` | the vocabulary, pure |
//! | `recount-store` | the log in Postgres: reads, and atomic appends |
//! | `recount-writer` | turns the commands of your domain into events |
//! | `recount-projection` | keeps read models up to date with the log, exactly once |
//! | `recount-kafka` | publishes the log to Kafka, and feeds a projection from there |
//!
//! # Who may rely on it
//!
//! Everybody: domains and contracts need this crate and no other of the wing. Its public API follows semantic
//! versioning. What must not be here: I/O, an async runtime, a clock or a source of randomness, and any word of a domain.
//! Time and ids come in from outside, through [`Environment`].

mod entity_name;
mod environment;
mod error_chain;
mod event;
mod name;
mod sink;

pub use entity_name::EntityName;
pub use environment::Environment;
pub use error_chain::ErrorChain;
pub use event::{LogKey, NewEvent, Position, RecordedEvent, Tag};
pub use name::{LogName, NameError};
pub use sink::EventSink;
