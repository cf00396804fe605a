//! The door to Postgres: every statement of every service goes through this crate.
//!
//! It promises that whatever vanishes or hangs is let go:
//!
//! - every connection carries limits of the server ([`Workload`]), so that a statement cannot run, wait or idle for ever,
//!   and a statement whose client has left is cancelled;
//! - a [`Lease`] goes back to the pool only if its owner gives it back. A lease that is dropped, because a future was
//!   dropped or a time limit has elapsed, closes its connection at once;
//! - taking a connection is bounded, and so is giving one back;
//! - [`Failure`] is the one place that says what an error of Postgres means.
//!
//! ```no_run
//! use recount_postgres::{Database, Settings, Workload};
//! use std::time::Duration;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let settings = Settings::new("box office", Workload::Queries).connections_max(8);
//! let database = Database::connect("postgres://localhost/shows", &settings).await?;
//! // One statement: `within` takes a connection, and gives it back or closes it.
//! let seats: i64 = sqlx::query_scalar("select count(*) from seats")
//!     .fetch_one(database.within(Duration::from_secs(5)))
//!     .await?;
//! // Several statements of one transaction, bounded as a whole.
//! let delete = async {
//!     let mut transaction = database.begin().await?;
//!     sqlx::query("delete from seats").execute(&mut *transaction).await?;
//!     transaction.commit().await
//! };
//! database.bounded(Duration::from_secs(5), delete).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Audience and stability
//!
//! For every crate that talks to Postgres. SQL does not belong here, and neither does anything about logs.

mod connect;
mod database;
mod error;
mod inspect;
mod lease;
mod limits;
mod listener;
pub mod locks;
mod within;

pub use connect::{ConnectError, Settings};
pub use database::Database;
pub use error::{
    Failure, is_time_limit, is_undefined_table, read_again, rolled_back, sent_nothing, sqlstate,
};
pub use lease::{Lease, Transaction};
pub use limits::{ACQUIRE_TIMEOUT, ORPHAN_TIMEOUT, Workload};
pub use listener::Listener;
pub use within::{Within, WithinLease};
