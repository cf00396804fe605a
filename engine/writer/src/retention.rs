//! Forgetting the outcomes of long ago.

use std::time::Duration;

use recount_store::LogWriter;
use tokio_util::sync::CancellationToken;

/// How often old outcomes are looked for. There is an index on their time, so a look that finds none costs nothing.
const INTERVAL: Duration = Duration::from_hours(1);

/// Forgets the outcomes that are older than this, at once and then every hour. Every process does it; they do not get into
/// each other's way.
pub(crate) async fn run(store: LogWriter, older_than: Duration, stopping: CancellationToken) {
    let work = async {
        loop {
            match store.forget_outcomes(older_than).await {
                Ok(0) => {}
                Ok(outcomes) => tracing::info!(outcomes, "outcomes were kept long enough and are forgotten"),
                Err(error) => {
                    tracing::warn!(%error, "old outcomes could not be forgotten; it is tried again")
                }
            }
            tokio::time::sleep(INTERVAL).await;
        }
    };
    stopping.run_until_cancelled(work).await;
}
