//! The vocabulary of the engine: [events](RecordedEvent), their [positions](Position) in a [log](LogName), and the
//! [tags](Tag) that connect an event with the entities it concerns.
//!
//! A **log** is a sequence of events at positions 1, 2, 3 … without a gap. It has a [`LogName`] for people and a
//! [`LogKey`], derived from the name, for the store. A decided event is a [`NewEvent`]; once it is in its log it is a
//! [`RecordedEvent`], and it never changes. Each event has the tags of the entities that it concerns, so the history of
//! an entity is the events with its tag.
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
//! # A log is what it contains
//!
//! Each event has an [`EventHash`], which commits to the event and to the hash of the event before it. A [`Tip`] is a
//! position together with the hash there. A follower that goes on from a tip learns by comparing hashes that a log has lost its
//! end, that it was rewritten, or that an event belongs to another log of the same name. The hashes are the leaves of a
//! Merkle tree (RFC 6962), whose [`Frontier`] a writer carries along.
//!
//! # The crates of the engine
//!
//! The engine has six crates. A domain needs this one and no other:
//!
//! | crate | what it does |
//! | --- | --- |
//! | `recount-core` | the vocabulary, pure |
//! | `recount-postgres` | the door to Postgres: connections that are let go when they hang |
//! | `recount-store` | the log in Postgres: reads, and atomic appends |
//! | `recount-writer` | turns the commands of your domain into events |
//! | `recount-projection` | keeps read models up to date with the log, exactly once |
//! | `recount-kafka` | publishes the log to Kafka, and feeds a projection from there |
//!
//! # Audience and stability
//!
//! For everybody: a domain and its contract need this crate and no other crate of the engine. Its public API follows
//! semantic versioning. I/O, an async runtime, a clock, a source of randomness and the words of a domain do not belong
//! here: time and ids come from outside, through an [`Environment`].

mod entity_name;
mod environment;
mod error_chain;
mod event;
mod frontier;
mod hash;
mod name;
mod sink;

pub use entity_name::EntityName;
pub use environment::Environment;
pub use error_chain::ErrorChain;
pub use event::{LogKey, NewEvent, Position, RecordedEvent, Tag};
pub use frontier::{Frontier, FrontierError};
pub use hash::{Envelope, EventHash, HashError, Tip};
pub use name::{LogName, NameError};
pub use sink::EventSink;
