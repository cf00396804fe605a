//! The contract between the engine and a projection.

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

/// A definition of read models. Its materialisation is a build, in a schema of its own: `<name>_v<version>`.
///
/// If [`apply`](Projection::apply) writes something different, or if a view changes, raise the version. The build of
/// the old version stays unchanged until the new build replaces it. Readers of the old version then read the new views,
/// so a view has to keep the names and types of its columns.
pub trait Projection: Send + Sync + 'static {
    /// A plain SQL identifier in lower case.
    fn name(&self) -> &'static str;

    fn version(&self) -> u16;

    /// Creates the tables. The search path is the schema of the build, so the SQL names no schema.
    ///
    /// Every table has a column `log bigint`, the key of the log that a row comes from: without it,
    /// [`remake`](crate::remake) could not delete the rows of one log, and [`migrate`](crate::migrate) refuses the table.
    fn tables_sql(&self) -> &'static str;

    /// The views that readers see: the name of each, and its query, which names tables as `tables_sql` does.
    fn views(&self) -> &'static [(&'static str, &'static str)];

    /// The schema of the views.
    fn view_schema(&self) -> &'static str {
        "read"
    }

    /// Writes the changes of a batch of events. It runs in a transaction, with the schema of the build as the search
    /// path. The engine passes each event of a log exactly once and in order.
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
    /// This event can never be applied: it cannot be read, or it contradicts earlier events.
    #[error("the event at position {position} cannot be applied: {reason}")]
    Poisoned { position: Position, reason: String },
    /// The database failed.
    #[error("the read models could not be written")]
    Database(#[from] sqlx::Error),
}
