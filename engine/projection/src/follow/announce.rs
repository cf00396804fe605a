//! Tells readers that read models have moved, so that those who wait for a position look again.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

/// Where query services listen.
const CHANNEL: &str = "recount_read";
/// No more than one notification in this time: each wakes every reader.
const INTERVAL: Duration = Duration::from_millis(10);
/// How long it may take until the task notices that nobody is left to announce for.
const LIVENESS_INTERVAL: Duration = Duration::from_secs(1);

/// Announces commits, outside their transactions and one notification for many.
#[derive(Clone, Debug)]
pub(crate) struct Announcer {
    moved: Arc<Notify>,
}

impl Announcer {
    /// Starts the task that sends; it ends with the last clone of the announcer.
    pub(crate) fn start(pool: PgPool) -> Announcer {
        let moved = Arc::new(Notify::new());
        let watched = Arc::downgrade(&moved);
        tokio::spawn(async move {
            while let Some(moved) = watched.upgrade() {
                if timeout(LIVENESS_INTERVAL, moved.notified()).await.is_err() {
                    continue;
                }
                drop(moved);
                let sent = sqlx::query("select pg_notify($1, '')").bind(CHANNEL).execute(&pool).await;
                if let Err(error) = sent {
                    tracing::debug!(%error, "no notification was sent; readers find the news by polling");
                }
                sleep(INTERVAL).await;
            }
        });
        Announcer { moved }
    }

    /// Says that something was committed.
    pub(crate) fn notify(&self) {
        self.moved.notify_one();
    }
}
