//! Projections: read models that follow the logs, each event applied exactly once and in order.
//!
//! A [`Projection`] says what a batch of events changes in its tables. A [`ProjectionEngine`] applies batches of one
//! log in order. Each batch and its progress are one transaction, so data and progress never disagree. The crate has
//! two separate subjects:
//!
//! - [`follow`]: keeping a build up to date, from the store ([`tail_store`]) or from any feed, with
//!   [`repair_from_store`] beside it for the events that the feed does not deliver;
//! - [`builds`]: creating the tables of a build ([`migrate`]), replacing the live build with a newer one while readers go
//!   on reading ([`go_live()`]), and making the read models of one log again ([`remake`]).
//!
//! Progress is a [`Tip`](recount_core::Tip), a position and the hash there, so each event is known to follow from those
//! before it. If the log in the store is not the one that a build was made from, because it went back or was rewritten,
//! the log has diverged: it stops, durably, until its read models are remade.
//!
//! ```
//! use recount_projection::{ApplyError, LogBatch, Projection};
//! use sqlx::PgConnection;
//!
//! /// Counts the events of each type.
//! struct EventCounts;
//!
//! impl Projection for EventCounts {
//!     fn name(&self) -> &'static str {
//!         "event_counts"
//!     }
//!
//!     fn version(&self) -> u16 {
//!         1
//!     }
//!
//!     fn tables_sql(&self) -> &'static str {
//!         "create table counts (log bigint, event_type text, events bigint not null, primary key (log, event_type))"
//!     }
//!
//!     fn views(&self) -> &'static [(&'static str, &'static str)] {
//!         &[("event_counts", "select log, event_type, events from counts")]
//!     }
//!
//!     async fn apply(&self, connection: &mut PgConnection, batch: LogBatch<'_>) -> Result<(), ApplyError> {
//!         let types: Vec<&str> = batch.events.iter().map(|event| event.event_type.as_str()).collect();
//!         sqlx::query(
//!             "insert into counts as c (log, event_type, events)
//!              select $1, t, count(*) from unnest($2::text[]) as t group by t order by t
//!              on conflict (log, event_type) do update set events = c.events + excluded.events",
//!         )
//!         .bind(batch.log.0)
//!         .bind(types)
//!         .execute(connection)
//!         .await?;
//!         Ok(())
//!     }
//! }
//! ```
//!
//! Running it:
//!
//! ```no_run
//! # use recount_projection::{Projection, ProjectionEngine, migrate, run};
//! use recount_store::LogReader;
//! use tokio_util::sync::CancellationToken;
//!
//! # async fn example(pool: sqlx::PgPool, projection: impl Projection) -> Result<(), Box<dyn std::error::Error>> {
//! migrate(&pool, &projection).await?;
//! let engine = ProjectionEngine::new(projection, LogReader::new(pool.clone()), pool);
//! run(engine, CancellationToken::new()).await;
//! # Ok(())
//! # }
//! ```
//!
//! # Audience and stability
//!
//! For services with read models. Its public API follows semantic versioning. It reads logs and never appends: it holds
//! a `LogReader` and no writer. The words of a domain, Kafka and answering queries do not belong here.

pub mod builds;
pub mod follow;
mod projection;

pub use builds::go_live::go_live;
pub use builds::remake::{Remade, diverged_logs, remake};
pub use builds::schema::{SchemaError, migrate, verify};
pub use follow::apply::{Applied, ApplyFailure};
pub use follow::engine::{CatchUpError, FeedOutcome, ProjectionEngine};
pub use follow::progress::{Progress, StopCause, Stopped};
pub use follow::repair::repair_from_store;
pub use follow::status::{CatchingUp, Status, StatusReport};
pub use follow::tail::tail_store;
pub use projection::{ApplyError, LogBatch, Projection};

use tokio_util::sync::CancellationToken;

/// Keeps a build up to date from the store and brings it to the readers, until the token is cancelled: all that a
/// projection without another feed needs.
pub async fn run<P: Projection>(engine: ProjectionEngine<P>, token: CancellationToken) {
    tokio::join!(tail_store(engine.clone(), token.clone()), go_live(engine, token));
}
