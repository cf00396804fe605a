//! The writer: it turns the commands of any domain into events in a log.
//!
//! A [`Domain`] says which entities a command reads, how it is decided, and how events change entities; all of it is
//! pure. A [`CommandEngine`] runs it: it takes [`Submission`]s, decides them one after another in the one writer that
//! each log has in a process, commits many of them with one statement, and answers each caller once its events are
//! durable. Any number of processes may write the same logs.
//!
//! ```
//! use chrono::{DateTime, Utc};
//! use recount_core::Tag;
//! use recount_writer::test_kit::given;
//! use recount_writer::{Domain, Encoded, Find, Refusal, Undecodable};
//! use serde::{Deserialize, Serialize};
//!
//! /// A counter that counts up to ten.
//! #[derive(Debug)]
//! struct Counting;
//!
//! #[derive(Debug)]
//! struct Increment { counter: String }
//!
//! #[derive(Debug, PartialEq, Serialize, Deserialize)]
//! struct Incremented { counter: String }
//!
//! #[derive(Debug)]
//! struct Full;
//!
//! fn counter(name: &str) -> Tag {
//!     Tag::new("counter", name)
//! }
//!
//! impl Domain for Counting {
//!     type Command = Increment;
//!     type Event = Incremented;
//!     type Entity = u32;
//!     type Rejection = Full;
//!     type Answer<'a> = ();
//!     type Explanation = ();
//!     const SNAPSHOT_VERSION: i16 = 1;
//!
//!     fn needs(command: &Increment, _find: Find<'_, u32>) -> Vec<Tag> {
//!         vec![counter(&command.counter)]
//!     }
//!
//!     fn decide(command: &Increment, find: Find<'_, u32>, _now: DateTime<Utc>) -> Result<Vec<Incremented>, Full> {
//!         match find(&counter(&command.counter)) {
//!             Some(10) => Err(Full),
//!             _ => Ok(vec![Incremented { counter: command.counter.clone() }]),
//!         }
//!     }
//!
//!     fn evolve(_tag: &Tag, count: &mut Option<u32>, _event: &Incremented) {
//!         *count = Some(count.unwrap_or(0) + 1);
//!     }
//!
//!     fn encode(event: &Incremented) -> Encoded {
//!         Encoded::json("incremented", 1, vec![counter(&event.counter)], event)
//!     }
//!
//!     fn decode(_event_type: &str, _version: i16, data: &str) -> Result<Incremented, Undecodable> {
//!         Ok(serde_json::from_str(data)?)
//!     }
//!
//!     fn answer(_command: &Increment) {}
//!
//!     fn refusal(_rejection: &Full) -> Refusal {
//!         Refusal::new("full", "The counter is at ten.")
//!     }
//! }
//!
//! let increment = || Increment { counter: "door".to_owned() };
//! let incremented = || Incremented { counter: "door".to_owned() };
//! given::<Counting>([]).when(increment()).then([incremented()]);
//! given::<Counting>((0..10).map(|_| incremented())).when(increment()).then_rejected("full");
//! ```
//!
//! Running it takes a store, a clock and a source of ids:
//!
//! ```no_run
//! # use recount_writer::{CommandEngine, Domain, Submission, Tuning};
//! use recount_core::{Environment, LogName};
//! use recount_store::{LogWriter, migrations};
//!
//! # async fn example<D: Domain>(pool: sqlx::PgPool, command: D::Command) -> Result<(), Box<dyn std::error::Error>> {
//! migrations::run(&pool).await?;
//! let environment = Environment::new(chrono::Utc::now, uuid::Uuid::now_v7);
//! let engine: CommandEngine<D> = CommandEngine::start(LogWriter::new(pool), environment, Tuning::default());
//!
//! let log: LogName = "front-door".parse()?;
//! engine.create_log(&log).await?;
//! let outcome = engine.submit(&log, Submission::of(command)).await?;
//! println!("decided at position {}: {:?}", outcome.position, outcome.outcomes);
//! engine.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! There are also batches (atomic or not), [idempotency keys](IdempotencyKey), dry runs, and [`deadlines`], with which
//! the engine submits a command at a later time. [`test_kit`] tests a domain without a database.
//!
//! # Audience and stability
//!
//! For services that take commands. Its public API follows semantic versioning. The words of a domain, HTTP, processes
//! and their settings do not belong here. It reads no clock and creates no ids: see
//! [`Environment`](recount_core::Environment).

mod batch;
mod bloom;
mod commit;
mod correct_time;
pub mod deadlines;
mod decide;
mod domain;
mod draft;
mod dry_run;
mod engine;
mod entities;
mod filter_memory;
mod growing_filter;
mod load;
mod loading;
mod open;
mod pending;
mod recall;
mod recent_keys;
mod recover;
mod retention;
mod seen;
mod submission;
mod tag_filter;
mod tag_history;
pub mod test_kit;
mod tuning;
mod writer;

pub use domain::{Domain, Encoded, Find, Undecodable};
pub use engine::CommandEngine;
pub use recount_store::DeadlineChange;
pub use submission::{
    Accepted, DraftedEvent, EventRef, Events, IdempotencyKey, Outcome, Refusal, Submission,
    SubmissionOutcome, SubmitError,
};
pub use tuning::Tuning;
