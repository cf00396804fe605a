//! What a projection is.

use std::future::Future;

use recount_core::{LogKey, LogName, Position, RecordedEvent};
use sqlx::PgConnection;

/// Consecutive events of one log, at least one.
#[derive(Clone, Copy, Debug)]
pub struct LogBatch<'a> {
    pub log: LogKey,
    pub name: &'a LogName,
    pub events: &'a [RecordedEvent],
}

/// A definition of read models. A build, its materialisation, has a schema of its own, `<name>_v<version>`.
///
/// A change of what [`apply`](Projection::apply) writes, or of the views, is a new version: what an older one wrote
/// stays as it is until the new build takes its place. Readers of the older version are still there then, so that a
/// view keeps the names and types of the columns that it had.
pub trait Projection: Send + Sync + 'static {
    /// A plain SQL identifier in lower case.
    fn name(&self) -> &'static str;

    fn version(&self) -> u16;

    /// Creates the tables. Runs with the build's schema as its search path, so it names none.
    fn tables_sql(&self) -> &'static str;

    /// What readers see: the name of each view, and the query behind it, which names tables as `tables_sql` does.
    fn views(&self) -> &'static [(&'static str, &'static str)];

    /// The schema of those views.
    fn view_schema(&self) -> &'static str {
        "read"
    }

    /// Writes what the events change. Runs in a transaction with the build's schema as its search path; the engine
    /// sees to it that each event of a log comes exactly once and in order.
    fn apply(
        &self,
        connection: &mut PgConnection,
        batch: LogBatch<'_>,
    ) -> impl Future<Output = Result<(), ApplyError>> + Send;
}

/// The schema of the projection's build.
pub(crate) fn schema_of(projection: &impl Projection) -> String {
    schema_of_version(projection, i32::from(projection.version()))
}

/// The schema of the build of another version of the projection.
pub(crate) fn schema_of_version(projection: &impl Projection, version: i32) -> String {
    format!("{}_v{version}", projection.name())
}

impl ApplyError {
    /// The error for an event that cannot be applied.
    pub fn poisoned(event: &RecordedEvent, reason: impl std::fmt::Display) -> ApplyError {
        ApplyError::Poisoned { position: event.position, reason: reason.to_string() }
    }
}

/// Why a batch could not be applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// This event cannot be applied, now or later: it cannot be read, or it contradicts what came before it.
    #[error("the event at position {position} cannot be applied: {reason}")]
    Poisoned { position: Position, reason: String },
    /// The database did not take it.
    #[error("the read models could not be written")]
    Database(#[from] sqlx::Error),
}
