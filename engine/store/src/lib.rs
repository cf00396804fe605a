//! The event store: logs in Postgres.
//!
//! Two handles share a database. [`LogReader`] reads: the events of a log in order, the events of one entity, the
//! outcomes of commands, the logs that have moved. [`LogWriter`] appends: one statement per batch, all or nothing, which
//! compares and sets the head of the log. A program that only follows logs holds a [`LogReader`] and could not append if
//! it tried.
//!
//! ```no_run
//! use chrono::Utc;
//! use recount_core::{LogName, NewEvent, Position, Tag};
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
//! let mut batch = Append::new(log.key, log.head, log.fence, Utc::now());
//! batch.push_event(NewEvent {
//!     id: Uuid::now_v7(),
//!     event_type: "announced",
//!     version: 1,
//!     tags: vec![Tag::new("show", "hamlet")],
//!     data: r#"{"show":"hamlet","seats":200}"#.to_owned(),
//!     meta: "{}".into(),
//! });
//! // `HeadMoved` would mean that somebody else appended first: read what they wrote, decide again.
//! assert_eq!(store.append(&batch, Duration::from_secs(5)).await?, Appended::Done);
//!
//! let history = store.reader().read(name.key(), Position::START, 100).await?;
//! assert_eq!(history[0].event_type, "announced");
//! # Ok(())
//! # }
//! ```
//!
//! The log is the truth; everything else can be thrown away and built again from here. The guarantees: positions have no
//! gap; a batch is in the log whole or not at all; an event is never changed (the database refuses); every statement of
//! the hot path names one log.
//!
//! # Who may rely on it
//!
//! Writers, projections, feeds and tools. `recount-writer` and `recount-projection` are the usual way in; use this crate
//! directly for your own writer or follower. What must not be here: decisions, retries, any word of a domain.

mod append;
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
mod writer;

pub use append::{Append, Appended};
pub use cursor::{LogCursor, MovedLogs};
pub use deadlines::{Deadline, DeadlineChange};
pub use entities::{EntityRow, Seen, Snapshot, tag_hash};
pub use error::StoreError;
pub use logs::{Log, MovedLog};
pub use notify::{CommitListener, CommitNotifier};
pub use outcomes::{KeyHash, NewOutcome, RecordedOutcome, RequestHash};
pub use reader::LogReader;
pub use writer::{LogWriter, SERVICE_ROLE};
