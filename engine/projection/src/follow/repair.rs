//! The repair: reading from the store the events that a feed did not deliver.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use recount_core::{LogKey, Position};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::follow::engine::{CatchUpError, ProjectionEngine};
use crate::follow::lagging::LaggingLogs;
use crate::projection::Projection;

/// A lagging log that has not moved for this long is read from the store.
const REPAIR_INTERVAL: Duration = Duration::from_secs(2);

/// Applies from the store the events that a feed does not deliver, until the token is cancelled. The feed may be
/// unreachable, or its records may be expired or lost. It runs beside the feed.
///
/// It also finds the logs that went back or were rewritten although the feed brings nothing.
pub async fn repair_from_store<P: Projection>(engine: ProjectionEngine<P>, token: CancellationToken) {
    let mut lagging = LaggingLogs::new(engine.clone(), token.clone());
    // The head and the position of the build, at the previous look.
    let mut previous: HashMap<LogKey, (Position, Position)> = HashMap::new();
    // The logs that the feed left behind. They are read until they have caught up.
    let mut stuck: HashSet<LogKey> = HashSet::new();
    while !token.is_cancelled() {
        let look_at = Instant::now() + REPAIR_INTERVAL;
        match look(&mut lagging).await {
            Ok(()) => {
                engine.status().mark_healthy();
                stuck.retain(|log| lagging.logs().contains_key(log));
                stuck.extend(lagging.logs().keys().filter(|log| {
                    let at = engine.applied(**log);
                    previous.get(log).is_some_and(|(head, before)| at == *before && at < *head)
                }));
            }
            Err(error) => {
                engine.status().failed(&error);
                lagging.forget();
            }
        }
        if !stuck.is_empty() {
            tracing::debug!(
                logs = stuck.len(),
                "the store is read for the events that the feed did not deliver"
            );
        }
        // Further turns, as long as a log moves and no other one may have been left behind meanwhile.
        loop {
            let due = lagging.due(|log| stuck.contains(&log));
            if !lagging.bring_forward(&due).await || token.is_cancelled() || Instant::now() >= look_at {
                break;
            }
        }
        previous = lagging.logs().iter().map(|(log, lag)| (*log, (lag.head, engine.applied(*log)))).collect();
        tokio::select! {
            () = token.cancelled() => return,
            () = sleep_until(look_at) => {}
        }
    }
}

/// Looks at the store until there is no more to look at.
async fn look<P: Projection>(lagging: &mut LaggingLogs<P>) -> Result<(), CatchUpError> {
    while lagging.look().await? {}
    Ok(())
}
