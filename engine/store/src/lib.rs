//! The event store: logs in Postgres.
//!
//! Two handles share a database. [`LogReader`] reads: the events of a log in order, the events of one entity, the
//! outcomes of commands, the logs that have moved. [`LogWriter`] appends a batch with one statement, all or nothing, by
//! compare-and-set of the log's tip, which is a position and the
//! hash there. A program that only follows logs holds a [`LogReader`], which cannot append.
//!
//! ```no_run
//! use chrono::Utc;
//! use recount_core::{LogName, NewEvent, Tag};
//! use recount_store::{Append, Appended, LogWriter, migrations};
//! use std::time::Duration;
//! use uuid::Uuid;
//!
//! # async fn example(pool: sqlx::PgPool) -> Result<(), Box<dyn std::error::Error>> {
//! migrations::run(&pool).await?;
//! let store = LogWriter::new(pool);
//! let name: LogName = "box-office".parse()?;
//! store.create_log(&name).await?;
//!
//! let log = store.reader().log(name.key()).await?.expect("it was just created");
//! let frontier = store.reader().frontier(log.key, log.tip).await?;
//! let mut batch = Append::new(log.key, log.tip.hash, frontier, log.fence, Utc::now());
//! batch.push_event(NewEvent {
//!     id: Uuid::now_v7(),
//!     event_type: "announced",
//!     version: 1,
//!     tags: vec![Tag::new("show", "hamlet")],
//!     data: r#"{"show":"hamlet","seats":200}"#.to_owned(),
//!     meta: "{}".into(),
//! });
//! // `TipMoved` would mean that another process appended first: read its events and decide again.
//! assert_eq!(store.append(&batch, Duration::from_secs(5)).await?, Appended::Done);
//!
//! let history = store.reader().read_after(name.key(), log.tip, 100).await?;
//! assert_eq!(history[0].event_type, "announced");
//! # Ok(())
//! # }
//! ```
//!
//! The log is the source of truth: everything else can be dropped and rebuilt from it. The guarantees:
//!
//! - positions have no gaps;
//! - a batch is in the log as a whole or not at all;
//! - an event never changes: the database refuses updates and deletes;
//! - a reader that goes on from a tip learns if the log went back or was rewritten;
//! - appending only inserts, so a snapshot held open slows nothing down;
//! - every statement on the hot path names one log.
//!
//! # Audience and stability
//!
//! For writers, projections, feeds and tools. Most programs use `recount-writer` and `recount-projection`; use this
//! crate directly for a writer or a follower of your own. Decisions, retries and the words of a domain do not belong
//! here.

mod append;
mod clock;
mod cursor;
mod deadlines;
mod entities;
mod error;
mod logs;
pub mod migrations;
mod notify;
mod outcomes;
mod read;
mod reader;
mod tags;
mod writer;

pub use append::{Append, Appended};
pub use clock::DatabaseClock;
pub use cursor::{LogCursor, MovedLogs};
pub use deadlines::{Deadline, DeadlineChange, NextDeadline};
pub use entities::{EntityRow, PageLimit, Snapshot, WantedEntity, tag_hash};
pub use error::StoreError;
pub use logs::{Log, MovedLog};
pub use notify::{CommitListener, CommitNotifier};
pub use outcomes::{KeyHash, NewOutcome, RecordedOutcome, RequestHash};
pub use reader::LogReader;
pub use tags::{SEGMENT_BITS, TagPlace, segment_of};
pub use writer::{LogWriter, SERVICE_ROLE};
