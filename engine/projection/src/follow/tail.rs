//! Following the store. Notifications make it fast; it also polls, because a notification may get lost.

use std::time::Duration;

use recount_store::CommitListener;
use tokio_util::sync::CancellationToken;

use crate::follow::engine::ProjectionEngine;
use crate::follow::lagging::LaggingLogs;
use crate::projection::Projection;

/// How long a commit may go unnoticed if no notification comes.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// How often logs are looked at that are paused or that another process holds.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// Keeps a build up to date from the store until the token is cancelled. Then it ends after the running batches.
pub async fn tail_store<P: Projection>(engine: ProjectionEngine<P>, token: CancellationToken) {
    let mut listener = CommitListener::listen(engine.reader()).await;
    let mut lagging = LaggingLogs::new(engine.clone(), token.clone());
    while !token.is_cancelled() {
        let (moved, more) = match lagging.look().await {
            Ok(more) => {
                engine.status().mark_healthy();
                let due = lagging.due(|_| true);
                (lagging.bring_forward(&due).await, more)
            }
            Err(error) => {
                engine.status().failed(&error);
                lagging.forget();
                (false, false)
            }
        };
        if moved || more {
            continue;
        }
        let timeout = if lagging.logs().is_empty() { POLL_INTERVAL } else { RETRY_INTERVAL };
        tokio::select! {
            () = token.cancelled() => {}
            () = listener.changed(timeout) => {}
        }
    }
}
