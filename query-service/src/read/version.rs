//! Which version of the read models is live, and whether it has what the queries need.
//!
//! A changed projection is built beside the live one and replaces it once it has caught up. Until then, a query that needs
//! something only the new build has cannot be answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use recount_service_kit::database::{Database, is_undefined_table, read_again};

use super::ReadError;
use super::snapshot::BEGIN_TIMEOUT;

/// The projection whose views are read.
const PROJECTION: &str = "ledger";
/// The oldest version whose views have everything that the queries name. Raise it with a query that names something new,
/// and not with every version: a query that both versions can answer is answered while the new one is being built.
pub const VERSION_MIN: i32 = 2;

/// The state of the read models that the queries need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BuildState {
    /// The live views have what the queries need.
    Live,
    /// The live views lack something; their successor has applied this many of its events.
    Rebuilding { events_applied: i64, events: i64 },
    /// There are no views, or they lack something and have no successor.
    Missing,
}

/// Requires a version of the read models. Once it has been seen, it is not looked up again: versions only go up.
#[derive(Clone, Debug)]
pub(super) struct Version {
    database: Database,
    seen: Arc<AtomicBool>,
}

impl Version {
    pub(super) fn new(database: Database) -> Version {
        Version { database, seen: Arc::default() }
    }

    /// Fails unless the live views have what the queries need.
    pub(super) async fn require(&self) -> Result<(), ReadError> {
        if self.seen.load(Ordering::Relaxed) {
            return Ok(());
        }
        let database = &self.database;
        match read_again(database, || build_state(database)).await? {
            BuildState::Live => {
                self.seen.store(true, Ordering::Relaxed);
                Ok(())
            }
            BuildState::Rebuilding { events_applied, events } => {
                Err(ReadError::Rebuilding { events_applied, events })
            }
            BuildState::Missing => Err(ReadError::Missing(None)),
        }
    }
}

/// Looks up the state of the read models.
pub(crate) async fn build_state(database: &Database) -> Result<BuildState, sqlx::Error> {
    match look_up(database).await {
        Err(error) if is_undefined_table(&error) => Ok(BuildState::Missing),
        looked_up => looked_up,
    }
}

async fn look_up(database: &Database) -> Result<BuildState, sqlx::Error> {
    let live: Option<i32> =
        sqlx::query_scalar("select version from public.recount_read_models where projection = $1")
            .bind(PROJECTION)
            .fetch_optional(database.within(BEGIN_TIMEOUT))
            .await?;
    match live {
        None => return Ok(BuildState::Missing),
        Some(live) if live >= VERSION_MIN => return Ok(BuildState::Live),
        Some(_) => {}
    }
    let successor = sqlx::query_as(
        "select events_applied, events from public.recount_builds \
         where projection = $1 and version >= $2 order by version limit 1",
    )
    .bind(PROJECTION)
    .bind(VERSION_MIN)
    .fetch_optional(database.within(BEGIN_TIMEOUT))
    .await?;
    Ok(successor.map_or(BuildState::Missing, |(events_applied, events)| BuildState::Rebuilding {
        events_applied,
        events,
    }))
}
