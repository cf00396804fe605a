//! Notifies readers that read models have moved, so that those that wait for a position look again.

use std::sync::Arc;
use std::time::Duration;

use recount_postgres::Database;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

/// The channel on which query services listen.
const CHANNEL: &str = "recount_read";
/// How long a notification may take.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(5);
/// The shortest time between two notifications, because each of them wakes every reader.
const NOTIFY_INTERVAL: Duration = Duration::from_millis(10);
/// How long it may take until the task notices that the last announcer is gone.
const LIVENESS_INTERVAL: Duration = Duration::from_secs(1);

/// Announces commits, with one notification for many commits and outside their transactions.
#[derive(Clone, Debug)]
pub(crate) struct Announcer {
    moved: Arc<Notify>,
}

impl Announcer {
    /// Starts the task that sends the notifications. It ends with the last clone of the announcer.
    pub(crate) fn start(database: Database) -> Announcer {
        let moved = Arc::new(Notify::new());
        let watched = Arc::downgrade(&moved);
        tokio::spawn(async move {
            while let Some(moved) = watched.upgrade() {
                if timeout(LIVENESS_INTERVAL, moved.notified()).await.is_err() {
                    continue;
                }
                drop(moved);
                let notify = sqlx::query("select pg_notify($1, '')").bind(CHANNEL);
                if let Err(error) = notify.execute(database.within(STATEMENT_TIMEOUT)).await {
                    tracing::debug!(%error, "no notification was sent; readers find the commits by polling");
                }
                sleep(NOTIFY_INTERVAL).await;
            }
        });
        Announcer { moved }
    }

    /// Reports a commit.
    pub(crate) fn notify(&self) {
        self.moved.notify_one();
    }
}
