//! Making a new build live: waiting until it has caught up, then the swap.
//!
//! The build is filled by its feed or from the store, like every build.

use std::collections::HashMap;
use std::time::Duration;

use recount_core::{ErrorChain, LogKey, Position, Tip};
use recount_store::{MovedLog, StoreError};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::builds::schema;
use crate::builds::swap::{self, SwapOutcome};
use crate::follow::apply::{self, ApplyFailure};
use crate::follow::engine::ProjectionEngine;
use crate::follow::progress::{self, Progress, Selection, Stopped};
use crate::follow::status::CatchingUp;
use crate::projection::{Projection, schema_of_version};

/// A build has caught up if it reaches, within this time, the positions that the logs and the live build had at the
/// start. This is much longer than an event takes. If the feed brings nothing, the repair from the store takes some
/// seconds.
const CAUGHT_UP_TIMEOUT: Duration = Duration::from_secs(10);
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
/// Logs that are compared with one query.
const PAGE_LOGS: u32 = 5_000;
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
    #[error(transparent)]
    Apply(#[from] ApplyFailure),
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
    while swap::drop_superseded(engine.database(), projection).await? == SwapOutcome::Blocked {
        sleep(BLOCKED_BACKOFF).await;
    }
    Ok(())
}

async fn live_version<P: Projection>(engine: &ProjectionEngine<P>) -> Result<Option<i32>, GoLiveError> {
    let look = async {
        let mut lease = engine.database().lease().await?;
        let live = schema::live_version(&mut lease, engine.projection()).await?;
        lease.give_back();
        Ok(live)
    };
    engine.database().bounded(schema::LOOK_TIMEOUT, look).await
}

/// Waits until the build has caught up, and swaps. Gives up after `CAUGHT_UP_TIMEOUT`.
async fn swap_when_caught_up<P: Projection>(
    engine: &ProjectionEngine<P>,
    live: &str,
) -> Result<(), GoLiveError> {
    let mut goal = Goal::set(engine, live).await?;
    if !goal.is_reached_in_time(engine).await? {
        return Ok(());
    }
    match swap::swap(engine.database(), engine.projection()).await? {
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
    /// All events that the build needs.
    events: i64,
    /// Those of them that the build cannot apply, although it has reached the goal.
    events_stopped: i64,
    /// The logs that it has not been seen to have reached.
    missing: HashMap<LogKey, End>,
}

/// The positions of a log when the goal was set.
#[derive(Clone, Copy, Debug, Default)]
struct End {
    head: Position,
    /// The position of the live build, if that is of the same history. It was read after the head, so it may be ahead of
    /// it.
    live: Position,
}

impl End {
    fn position(self) -> Position {
        self.head.max(self.live)
    }
}

impl Goal {
    async fn set<P: Projection>(engine: &ProjectionEngine<P>, live: &str) -> Result<Goal, GoLiveError> {
        let mut goal = Goal { set_at: Instant::now(), events: 0, events_stopped: 0, missing: HashMap::new() };
        let mut after = None;
        loop {
            let logs = engine.reader().logs_after(after, PAGE_LOGS).await?;
            let is_last = logs.len() < PAGE_LOGS as usize;
            let last = logs.last().map(|log| log.key).filter(|_| !is_last);
            let range = (after.map_or(i64::MIN, |log: LogKey| log.0), last.map_or(i64::MAX, |last| last.0));
            goal.add_page(engine, live, &logs, range).await?;
            if is_last {
                return Ok(goal);
            }
            after = last;
        }
    }

    /// Adds the logs of a range of keys: those in the store, and those that only the live build has.
    async fn add_page<P: Projection>(
        &mut self,
        engine: &ProjectionEngine<P>,
        live: &str,
        logs: &[MovedLog],
        range: (i64, i64),
    ) -> Result<(), GoLiveError> {
        let mut seen =
            progress::read(engine.database(), live, Selection { logs: &[], range: Some(range) }).await?;
        for log in logs {
            let live_at = match seen.remove(&log.key) {
                Some(progress) => live_end(engine, live, log.key, &progress, Some(log.tip)).await?,
                None => Position::START,
            };
            self.add(log.key, End { head: log.tip.position, live: live_at });
        }
        for (log, progress) in seen {
            let live_at = live_end(engine, live, log, &progress, None).await?;
            self.add(log, End { head: Position::START, live: live_at });
        }
        Ok(())
    }

    fn add(&mut self, log: LogKey, end: End) {
        self.events += end.position().0;
        if end.position() > Position::START {
            self.missing.insert(log, end);
        }
    }

    /// Waits until the goal is reached, for `CAUGHT_UP_TIMEOUT` at most: by then more events have come, and a new goal
    /// is better.
    async fn is_reached_in_time<P: Projection>(
        &mut self,
        engine: &ProjectionEngine<P>,
    ) -> Result<bool, GoLiveError> {
        loop {
            let look_at = Instant::now();
            let (catching, logs_stopped) = self.look(engine).await?;
            engine.status().catches_up(catching);
            schema::note_catching_up(engine.database(), engine.projection(), catching).await?;
            if self.missing.is_empty() {
                return Ok(true);
            }
            if self.set_at.elapsed() >= CAUGHT_UP_TIMEOUT {
                tracing::info!(
                    build = engine.build(),
                    events_applied = catching.events_applied,
                    events = catching.events,
                    logs_stopped,
                    "the build is catching up; readers do not see it yet"
                );
                return Ok(false);
            }
            // A look at many logs takes long, and must not be all that the database does.
            sleep(LOOK_INTERVAL.max(look_at.elapsed() * 10)).await;
        }
    }

    /// Drops the logs that the build has reached. Returns how far it has come, and in how many of the others it is
    /// stopped.
    async fn look<P: Projection>(
        &mut self,
        engine: &ProjectionEngine<P>,
    ) -> Result<(CatchingUp, usize), GoLiveError> {
        let mut events_missing = 0;
        let mut logs_stopped = 0;
        let keys: Vec<i64> = self.missing.keys().map(|log| log.0).collect();
        for page in keys.chunks(PAGE_LOGS as usize) {
            let stored = progress::read(engine.database(), engine.build(), Selection::of(page)).await?;
            for log in page.iter().copied().map(LogKey) {
                let Some(end) = self.missing.get(&log) else { continue };
                let progress = stored.get(&log);
                let at = progress.map_or(Position::START, Progress::position);
                let stopped = progress.is_some_and(|progress| progress.stopped.is_some());
                let missing = end.position().0 - at.min(end.position()).0;
                // A stopped log only has to reach the position of the live build: it would get no further, and readers
                // lose nothing.
                if at >= if stopped { end.live } else { end.position() } {
                    self.events_stopped += missing;
                    self.missing.remove(&log);
                } else {
                    events_missing += missing;
                    logs_stopped += usize::from(stopped);
                }
            }
        }
        let events_applied = self.events - self.events_stopped - events_missing;
        Ok((CatchingUp { events_applied, events: self.events }, logs_stopped))
    }
}

/// Where the new build has to be so that readers of the live one lose nothing. If the live build is not made from the log
/// in the store, it is stopped, and there is nothing to lose.
async fn live_end<P: Projection>(
    engine: &ProjectionEngine<P>,
    live: &str,
    log: LogKey,
    progress: &Progress,
    head: Option<Tip>,
) -> Result<Position, GoLiveError> {
    let Some(tip) = progress.tip else { return Ok(Position::START) };
    if progress.stopped.as_ref().is_some_and(Stopped::is_diverged) {
        return Ok(Position::START);
    }
    // Below the head the new build passes the position in any case.
    let is_suspect = head.is_none_or(|head| head != tip && head.position <= tip.position);
    if is_suspect && !engine.reader().contains(log, tip).await? {
        let stopped = Stopped::diverged(&progress.name, tip);
        apply::record_stop(engine.database(), live, &progress.name, tip, &stopped).await?;
        engine.announce();
        return Ok(Position::START);
    }
    Ok(tip.position)
}
