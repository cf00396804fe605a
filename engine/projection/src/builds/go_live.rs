//! Bringing a new build to the readers: waiting until it has caught up, then the swap.
//!
//! The build itself is filled as every build is, by its source.

use std::collections::HashMap;
use std::time::Duration;

use recount_core::{ErrorChain, LogKey, Position};
use recount_store::StoreError;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::builds::schema;
use crate::builds::swap::{self, Swap};
use crate::follow::engine::ProjectionEngine;
use crate::follow::progress::{self, Progress};
use crate::follow::status::CatchingUp;
use crate::projection::{Projection, schema_of_version};

/// A build has caught up once it reaches, within this time, where the logs and the live build are. Far longer than an
/// event takes; with a source that brings nothing, the repairs from the store take some seconds.
const CAUGHT_UP_TIMEOUT: Duration = Duration::from_secs(10);
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
/// After readers were in the way.
const GIVEN_WAY_BACKOFF: Duration = Duration::from_secs(1);
const FAILURE_BACKOFF: Duration = Duration::from_secs(5);

/// Sees to it that readers come to see this build and no older one is left, while its source fills it.
///
/// Ends when that is so, or when the token is cancelled. Several processes may do so at once. Failures are logged and
/// tried again.
pub async fn go_live<P: Projection>(engine: ProjectionEngine<P>, token: CancellationToken) {
    let until_live = async {
        while let Err(error) = bring_live(&engine).await {
            tracing::warn!(
                build = engine.build(), error = %ErrorChain(&error),
                "the build cannot be brought to the readers; it is tried again"
            );
            sleep(FAILURE_BACKOFF).await;
        }
    };
    token.run_until_cancelled(until_live).await;
}

#[derive(Debug, thiserror::Error)]
enum GoLiveError {
    #[error("the heads of the logs could not be read")]
    Store(#[from] StoreError),
    #[error("the read models could not be looked at or swapped")]
    Database(#[from] sqlx::Error),
}

async fn bring_live<P: Projection>(engine: &ProjectionEngine<P>) -> Result<(), GoLiveError> {
    let projection = engine.projection();
    let version = i32::from(projection.version());
    let mut live = live_version(engine).await?;
    while let Some(older) = live.filter(|live| *live < version) {
        wait_until_caught_up(engine, &schema_of_version(projection, older)).await?;
        live = live_version(engine).await?;
    }
    if live == Some(version) {
        engine.status().is_live();
    }
    while swap::drop_superseded(engine.pool(), projection).await? == Swap::GaveWay {
        sleep(GIVEN_WAY_BACKOFF).await;
    }
    Ok(())
}

async fn live_version<P: Projection>(engine: &ProjectionEngine<P>) -> Result<Option<i32>, GoLiveError> {
    let mut connection = engine.pool().acquire().await?;
    Ok(schema::live_version(&mut connection, engine.projection()).await?)
}

/// Waits for the build to catch up, within a bound, and swaps if it has.
async fn wait_until_caught_up<P: Projection>(
    engine: &ProjectionEngine<P>,
    live: &str,
) -> Result<(), GoLiveError> {
    if !Goal::set(engine, live).await?.is_reached_in_time(engine).await? {
        return Ok(());
    }
    match swap::swap(engine.pool(), engine.projection()).await? {
        Swap::Done => {
            tracing::info!(build = engine.build(), instead_of = live, "readers see the new build");
            // Those who wait for a position look again.
            engine.announce();
        }
        Swap::GaveWay => {
            tracing::info!(build = engine.build(), "readers or writers of the live build are in the way");
            sleep(GIVEN_WAY_BACKOFF).await;
        }
    }
    Ok(())
}

/// Where the build has to be.
struct Goal {
    set_at: Instant,
    logs: HashMap<LogKey, ProgressAt>,
}

/// Where a log was when the goal was set.
#[derive(Clone, Copy, Debug, Default)]
struct ProgressAt {
    head: Position,
    /// Where the live build was. It may be ahead of the head that was read before.
    live: Position,
}

impl Goal {
    async fn set<P: Projection>(engine: &ProjectionEngine<P>, live: &str) -> Result<Goal, GoLiveError> {
        let set_at = Instant::now();
        let mut logs: HashMap<LogKey, ProgressAt> = HashMap::new();
        for log in engine.reader().logs_moved_since(None).await? {
            logs.entry(log.key).or_default().head = log.head;
        }
        for (log, progress) in progress::read(engine.pool(), live, None).await? {
            logs.entry(log).or_default().live = progress.position;
        }
        Ok(Goal { set_at, logs })
    }

    /// Waits until it is reached, and no longer than makes it worth: events have come since it was set.
    async fn is_reached_in_time<P: Projection>(
        &self,
        engine: &ProjectionEngine<P>,
    ) -> Result<bool, GoLiveError> {
        loop {
            let progress = progress::read(engine.pool(), engine.build(), None).await?;
            let (catching, reached) = self.compare(&progress);
            engine.status().catches_up(catching);
            schema::note_catching_up(engine.pool(), engine.projection(), catching).await?;
            if reached {
                return Ok(true);
            }
            if self.set_at.elapsed() >= CAUGHT_UP_TIMEOUT {
                tracing::info!(
                    build = engine.build(),
                    events_applied = catching.events_applied,
                    events = catching.events,
                    logs_stopped = progress.values().filter(|progress| progress.stopped.is_some()).count(),
                    "the build catches up; readers do not see it yet"
                );
                return Ok(false);
            }
            sleep(LOOK_INTERVAL).await;
        }
    }

    /// How far the build is on its way, and whether it is there. A log that is stopped need only be where the live
    /// build is: it would go no further, and readers would not lose anything.
    fn compare(&self, progress: &HashMap<LogKey, Progress>) -> (CatchingUp, bool) {
        let mut catching = CatchingUp::default();
        let mut reached = true;
        for (log, end) in &self.logs {
            let progress = progress.get(log);
            let at = progress.map_or(Position::START, |progress| progress.position);
            let stopped = progress.is_some_and(|progress| progress.stopped.is_some());
            let goal = end.head.max(end.live);
            catching.events += goal.0;
            catching.events_applied += at.min(goal).0;
            reached &= at >= if stopped { end.live } else { goal };
        }
        (catching, reached)
    }
}
