//! Which version of the read models there is to read, and whether it is the one that the queries need.
//!
//! A changed projection is built beside the one that readers see, and takes its place when it has caught up. Until then
//! a query that names what only the new one has cannot be answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use recount_service_kit::database;
use recount_service_kit::problem::{Problem, kinds};
use sqlx::PgPool;

use super::snapshot::{failed, is_undefined_table};

/// The projection whose views are read.
const PROJECTION: &str = "ledger";
/// The oldest version of it whose views have all that the queries name. It goes up with a query that names something
/// new, and not with each version: what is read in both can be answered while the new one is built.
pub const VERSION_MIN: i32 = 2;
/// A rebuild takes a while: nothing is gained by asking at once.
const RETRY_AFTER_SECONDS: u64 = 5;

/// What there is to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// What the queries need.
    Live,
    /// Views that lack something. Their successor has so many events of those that it needs.
    Rebuilding { events_applied: i64, events: i64 },
    /// Nothing, or views that lack something and have no successor.
    Missing,
}

/// Asks only as long as there is not yet what the queries need: a version is never followed by an older one.
#[derive(Clone, Debug)]
pub(super) struct Version {
    pool: PgPool,
    seen: Arc<AtomicBool>,
}

impl Version {
    pub(super) fn new(pool: PgPool) -> Version {
        Version { pool, seen: Arc::default() }
    }

    /// A problem unless there is what the queries need.
    pub(super) async fn require(&self) -> Result<(), Problem> {
        if self.seen.load(Ordering::Relaxed) {
            return Ok(());
        }
        let pool = &self.pool;
        match database::read_again(pool, || standing(pool)).await.map_err(|error| failed(&error))? {
            Standing::Live => {
                self.seen.store(true, Ordering::Relaxed);
                Ok(())
            }
            Standing::Rebuilding { events_applied, events } => Err(Problem::new(
                &kinds::READ_MODELS_REBUILDING,
                format!("The read models are being rebuilt: {events_applied} of {events} events are in."),
            )
            .with("events_applied", events_applied)
            .with("events", events)
            .retry_after_seconds(RETRY_AFTER_SECONDS)),
            Standing::Missing => {
                Err(Problem::new(&kinds::STORE_UNAVAILABLE, "The read models are not there yet."))
            }
        }
    }
}

/// Looks up what there is to read.
pub(crate) async fn standing(pool: &PgPool) -> Result<Standing, sqlx::Error> {
    match look_up(pool).await {
        Err(error) if is_undefined_table(&error) => Ok(Standing::Missing),
        looked_up => looked_up,
    }
}

async fn look_up(pool: &PgPool) -> Result<Standing, sqlx::Error> {
    let live: Option<i32> =
        sqlx::query_scalar("select version from public.recount_read_models where projection = $1")
            .bind(PROJECTION)
            .fetch_optional(pool)
            .await?;
    match live {
        None => return Ok(Standing::Missing),
        Some(live) if live >= VERSION_MIN => return Ok(Standing::Live),
        Some(_) => {}
    }
    let successor = sqlx::query_as(
        "select events_applied, events from public.recount_builds \
         where projection = $1 and version >= $2 order by version limit 1",
    )
    .bind(PROJECTION)
    .bind(VERSION_MIN)
    .fetch_optional(pool)
    .await?;
    Ok(successor.map_or(Standing::Missing, |(events_applied, events)| Standing::Rebuilding {
        events_applied,
        events,
    }))
}
