//! The store as a source: wake-ups for latency, polls for truth.

use std::time::Duration;

use recount_event_store::News;
use tokio_util::sync::CancellationToken;

use super::catch_up::Engine;
use super::projection::Projection;
use super::sweep::Sweep;

/// The longest that news may go unnoticed when no wake-up comes.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// While a log is paused or in another process's hands it is looked at this often.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// Keeps a build up to date from the store until the token is cancelled; then ends after the batches under way.
pub async fn tail_store<P: Projection>(engine: Engine<P>, token: CancellationToken) {
    let mut news = News::listen(engine.store().pool()).await;
    let mut sweep = Sweep::new(engine.clone(), token.clone());
    while !token.is_cancelled() {
        let moved = match sweep.look().await {
            Ok(()) => {
                if sweep.behind().is_empty() {
                    engine.status().works();
                }
                let due = sweep.due();
                sweep.bring_forward(&due).await
            }
            Err(setback) => {
                engine.status().failed(&setback);
                sweep.forget();
                false
            }
        };
        if moved {
            continue;
        }
        let at_most = if sweep.behind().is_empty() { POLL_INTERVAL } else { RETRY_INTERVAL };
        tokio::select! {
            () = token.cancelled() => {}
            () = news.changed(at_most) => {}
        }
    }
}
