//! Notifications of commits. They make readers fast; readers also poll, because a notification may get lost.

use std::sync::Arc;
use std::time::Duration;

use recount_postgres::{Database, Listener};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use crate::reader::LogReader;
use crate::writer::LogWriter;

const CHANNEL: &str = "recount_store";

/// How long commits are gathered into one notification: shorter than a reader's work, longer than a commit.
const COALESCE_INTERVAL: Duration = Duration::from_millis(5);
/// How long sending a notification, or removing some news, may take.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long it may take until the task notices that the last notifier is gone.
const LIVENESS_INTERVAL: Duration = Duration::from_secs(1);
/// How often news of long ago are removed.
const TRIM_INTERVAL: Duration = Duration::from_secs(60);
/// News of this many transactions are kept: more than a reader goes back.
const NEWS_TRANSACTIONS_KEPT: i64 = 1_000_000;

/// Notifies other processes that a log has moved. Cheap to clone. Its task ends with the last clone.
#[derive(Clone, Debug)]
pub struct CommitNotifier {
    moved: Arc<Notify>,
}

impl CommitNotifier {
    /// Starts the task that sends the notifications, one for many commits and outside their transactions.
    pub fn start(writer: &LogWriter) -> CommitNotifier {
        let database = writer.database().clone();
        let moved = Arc::new(Notify::new());
        let watched = Arc::downgrade(&moved);
        tokio::spawn(async move {
            let mut trim_at = Instant::now() + TRIM_INTERVAL;
            // Beside the notifications, which must not wait for it.
            let mut trimming = JoinSet::new();
            while let Some(moved) = watched.upgrade() {
                while trimming.try_join_next().is_some() {}
                if trim_at <= Instant::now() && trimming.is_empty() {
                    trimming.spawn(trim_news(database.clone()));
                    trim_at = Instant::now() + TRIM_INTERVAL;
                }
                if timeout_at(Instant::now() + LIVENESS_INTERVAL, moved.notified()).await.is_err() {
                    continue;
                }
                drop(moved);
                sleep(COALESCE_INTERVAL).await;
                let notify = sqlx::query("select pg_notify($1, '')").bind(CHANNEL);
                if let Err(error) = notify.execute(database.within(STATEMENT_TIMEOUT)).await {
                    tracing::debug!(%error, "no notification was sent; readers find the commits by polling");
                }
            }
        });
        CommitNotifier { moved }
    }

    /// Reports a commit.
    pub fn notify(&self) {
        self.moved.notify_one();
    }
}

/// Removes news that no reader needs any more.
async fn trim_news(database: Database) {
    loop {
        let trimmed = sqlx::query_scalar::<_, i64>("select store.trim_news($1)")
            .bind(NEWS_TRANSACTIONS_KEPT)
            .fetch_one(database.within(STATEMENT_TIMEOUT))
            .await;
        match trimmed {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(%error, "old news were not removed; the next time will do");
                return;
            }
        }
    }
}

/// Receives the notifications that a log has moved.
#[derive(Debug)]
pub struct CommitListener(Listener);

impl CommitListener {
    /// Starts listening. While there is no connection, it only polls and tries to reconnect.
    pub async fn listen(reader: &LogReader) -> CommitListener {
        CommitListener(Listener::start(reader.database(), CHANNEL).await)
    }

    /// Waits until a log may have moved: for a notification, or for `timeout`.
    pub async fn changed(&mut self, timeout: Duration) {
        self.0.wait(timeout).await;
    }
}
