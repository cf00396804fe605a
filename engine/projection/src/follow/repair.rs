//! Repairing from the store: the events that a feed did not bring.

use std::collections::HashMap;
use std::time::Duration;

use recount_core::{LogKey, Position};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::follow::engine::{CatchUpError, ProjectionEngine};
use crate::follow::lagging::LaggingLogs;
use crate::projection::Projection;

/// A log whose head has been ahead for this long, while its build did not move, is read from the store.
const REPAIR_INTERVAL: Duration = Duration::from_secs(2);

/// Reads from the store whatever a feed does not bring, until the token is cancelled: the feed is gone, its records have
/// expired, or it has lost some. It runs beside the feed.
pub async fn repair_from_store<P: Projection>(engine: ProjectionEngine<P>, token: CancellationToken) {
    let mut lagging = LaggingLogs::new(engine.clone(), token.clone());
    // Head and build at the last look.
    let mut last: HashMap<LogKey, (Position, Position)> = HashMap::new();
    loop {
        match look(&engine, &mut lagging).await {
            Ok(()) => {
                let stuck: Vec<LogKey> = lagging
                    .due()
                    .into_iter()
                    .filter(|log| {
                        let at = engine.applied(*log);
                        last.get(log).is_some_and(|(head, before)| at == *before && at < *head)
                    })
                    .collect();
                if !stuck.is_empty() {
                    tracing::debug!(logs = stuck.len(), "read from the store what the feed did not bring");
                    // One turn after another, as long as it helps.
                    while lagging.bring_forward(&stuck).await && !token.is_cancelled() {}
                }
            }
            Err(error) => {
                engine.status().failed(&error);
                lagging.forget();
            }
        }
        last = lagging.logs().iter().map(|(log, lag)| (*log, (lag.head, engine.applied(*log)))).collect();
        tokio::select! {
            () = token.cancelled() => return,
            () = sleep(REPAIR_INTERVAL) => {}
        }
    }
}

/// Looks where the heads are and where the build is now: other processes move it too.
async fn look<P: Projection>(
    engine: &ProjectionEngine<P>,
    lagging: &mut LaggingLogs<P>,
) -> Result<(), CatchUpError> {
    lagging.look().await?;
    let behind: Vec<i64> = lagging.logs().keys().map(|log| log.0).collect();
    if behind.is_empty() {
        engine.status().mark_healthy();
    } else {
        engine.refresh(Some(&behind)).await?;
        lagging.drop_caught_up();
    }
    Ok(())
}
