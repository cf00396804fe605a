//! The repair: reading from the store the events that a feed did not deliver.

use std::collections::HashMap;
use std::time::Duration;

use recount_core::{LogKey, Position};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::follow::engine::{CatchUpError, ProjectionEngine};
use crate::follow::lagging::LaggingLogs;
use crate::projection::Projection;

/// A lagging log that has not moved for this long is read from the store.
const REPAIR_INTERVAL: Duration = Duration::from_secs(2);

/// Applies from the store the events that a feed does not deliver, until the token is cancelled. The feed may be
/// unreachable, or its records may be expired or lost. It runs beside the feed.
pub async fn repair_from_store<P: Projection>(engine: ProjectionEngine<P>, token: CancellationToken) {
    let mut lagging = LaggingLogs::new(engine.clone(), token.clone());
    // The head and the position of the build, at the previous look.
    let mut previous: HashMap<LogKey, (Position, Position)> = HashMap::new();
    loop {
        match look(&engine, &mut lagging).await {
            Ok(()) => {
                let stuck: Vec<LogKey> = lagging
                    .due()
                    .into_iter()
                    .filter(|log| {
                        let at = engine.applied(*log);
                        previous.get(log).is_some_and(|(head, before)| at == *before && at < *head)
                    })
                    .collect();
                if !stuck.is_empty() {
                    tracing::debug!(
                        logs = stuck.len(),
                        "the store is read for the events that the feed did not deliver"
                    );
                    // Further turns, as long as a log moves.
                    while lagging.bring_forward(&stuck).await && !token.is_cancelled() {}
                }
            }
            Err(error) => {
                engine.status().failed(&error);
                lagging.forget();
            }
        }
        previous = lagging.logs().iter().map(|(log, lag)| (*log, (lag.head, engine.applied(*log)))).collect();
        tokio::select! {
            () = token.cancelled() => return,
            () = sleep(REPAIR_INTERVAL) => {}
        }
    }
}

/// Reads the heads of the logs and the positions of the build, which other processes move too.
async fn look<P: Projection>(
    engine: &ProjectionEngine<P>,
    lagging: &mut LaggingLogs<P>,
) -> Result<(), CatchUpError> {
    lagging.look().await?;
    let lagging_logs: Vec<i64> = lagging.logs().keys().map(|log| log.0).collect();
    if lagging_logs.is_empty() {
        engine.status().mark_healthy();
    } else {
        engine.refresh(Some(&lagging_logs)).await?;
        lagging.drop_caught_up();
    }
    Ok(())
}
