//! Making a new build live: waiting until it has caught up, then the swap.
//!
//! The build is filled by its feed or from the store, like every build.

use std::collections::HashMap;
use std::time::Duration;

use recount_core::{ErrorChain, LogKey, Position};
use recount_store::StoreError;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::builds::schema;
use crate::builds::swap::{self, SwapOutcome};
use crate::follow::engine::ProjectionEngine;
use crate::follow::progress::{self, Progress};
use crate::follow::status::CatchingUp;
use crate::projection::{Projection, schema_of_version};

/// A build has caught up if it reaches, within this time, the positions that the logs and the live build had at the
/// start. This is much longer than an event takes. If the feed brings nothing, the repair from the store takes some
/// seconds.
const CAUGHT_UP_TIMEOUT: Duration = Duration::from_secs(10);
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
/// The pause after others blocked the swap or the drop.
const BLOCKED_BACKOFF: Duration = Duration::from_secs(1);
/// The pause after an error.
const FAILURE_BACKOFF: Duration = Duration::from_secs(5);

/// Makes this build live once it has caught up, and drops the older builds.
///
/// Ends after that, or when the token is cancelled. Several processes may call this at the same time. It reports
/// failures and retries.
pub async fn go_live<P: Projection>(engine: ProjectionEngine<P>, token: CancellationToken) {
    let until_live = async {
        while let Err(error) = make_live(&engine).await {
            tracing::warn!(
                build = engine.build(), error = %ErrorChain(&error),
                "the build could not be made live; retrying"
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
    #[error("the builds could not be compared, swapped or dropped")]
    Database(#[from] sqlx::Error),
}

async fn make_live<P: Projection>(engine: &ProjectionEngine<P>) -> Result<(), GoLiveError> {
    let projection = engine.projection();
    let version = i32::from(projection.version());
    let mut live = live_version(engine).await?;
    while let Some(older) = live.filter(|live| *live < version) {
        swap_when_caught_up(engine, &schema_of_version(projection, older)).await?;
        live = live_version(engine).await?;
    }
    if live == Some(version) {
        engine.status().is_live();
    }
    while swap::drop_superseded(engine.pool(), projection).await? == SwapOutcome::Blocked {
        sleep(BLOCKED_BACKOFF).await;
    }
    Ok(())
}

async fn live_version<P: Projection>(engine: &ProjectionEngine<P>) -> Result<Option<i32>, GoLiveError> {
    let mut connection = engine.pool().acquire().await?;
    Ok(schema::live_version(&mut connection, engine.projection()).await?)
}

/// Waits until the build has caught up, and swaps. Gives up after `CAUGHT_UP_TIMEOUT`.
async fn swap_when_caught_up<P: Projection>(
    engine: &ProjectionEngine<P>,
    live: &str,
) -> Result<(), GoLiveError> {
    if !Goal::set(engine, live).await?.is_reached_in_time(engine).await? {
        return Ok(());
    }
    match swap::swap(engine.pool(), engine.projection()).await? {
        SwapOutcome::Done => {
            tracing::info!(build = engine.build(), instead_of = live, "readers see the new build");
            // Readers that wait for a position look again.
            engine.announce();
        }
        SwapOutcome::Blocked => {
            tracing::info!(
                build = engine.build(),
                "readers or writers of the live build block the swap; retrying"
            );
            sleep(BLOCKED_BACKOFF).await;
        }
    }
    Ok(())
}

/// The positions that the build has to reach.
struct Goal {
    set_at: Instant,
    logs: HashMap<LogKey, ProgressAt>,
}

/// The positions of a log when the goal was set.
#[derive(Clone, Copy, Debug, Default)]
struct ProgressAt {
    head: Position,
    /// The position of the live build. It was read after the head, so it may be ahead of it.
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

    /// Waits until the goal is reached, for `CAUGHT_UP_TIMEOUT` at most: by then more events have come, and a new goal
    /// is better.
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
                    "the build is catching up; readers do not see it yet"
                );
                return Ok(false);
            }
            sleep(LOOK_INTERVAL).await;
        }
    }

    /// How far the build has come, and whether it has reached the goal. A stopped log only has to reach the position of
    /// the live build: it would get no further, and readers lose nothing.
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
