//! Notifications of commits. They make readers fast; readers also poll, because a notification may get lost.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::reader::LogReader;
use crate::writer::LogWriter;

const CHANNEL: &str = "recount_store";

/// How long commits are gathered into one notification: shorter than a reader's work, longer than a commit.
const COALESCE_INTERVAL: Duration = Duration::from_millis(5);
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
        let pool = writer.pool().clone();
        let moved = Arc::new(Notify::new());
        let watched = Arc::downgrade(&moved);
        tokio::spawn(async move {
            let mut trim_at = Instant::now() + TRIM_INTERVAL;
            while let Some(moved) = watched.upgrade() {
                if trim_at <= Instant::now() {
                    trim_news(&pool).await;
                    trim_at = Instant::now() + TRIM_INTERVAL;
                }
                if timeout_at(Instant::now() + LIVENESS_INTERVAL, moved.notified()).await.is_err() {
                    continue;
                }
                drop(moved);
                sleep(COALESCE_INTERVAL).await;
                if let Err(error) = sqlx::query("select pg_notify($1, '')").bind(CHANNEL).execute(&pool).await
                {
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
async fn trim_news(pool: &PgPool) {
    loop {
        let trimmed = sqlx::query_scalar::<_, i64>("select store.trim_news($1)")
            .bind(NEWS_TRANSACTIONS_KEPT)
            .fetch_one(pool)
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
pub struct CommitListener {
    pool: PgPool,
    listener: Option<PgListener>,
}

impl CommitListener {
    /// Starts listening. While there is no connection, it only polls and tries to reconnect.
    pub async fn listen(reader: &LogReader) -> CommitListener {
        let mut listening = CommitListener { pool: reader.pool().clone(), listener: None };
        listening.connect().await;
        listening
    }

    /// Waits until a log may have moved: for a notification, or for `timeout`.
    pub async fn changed(&mut self, timeout: Duration) {
        let end = Instant::now() + timeout;
        if self.listener.is_none() {
            self.connect().await;
        }
        let Some(listener) = &mut self.listener else {
            sleep_until(end).await;
            return;
        };
        match timeout_at(end, listener.recv()).await {
            Ok(Ok(_)) | Err(_) => {}
            Ok(Err(error)) => {
                tracing::debug!(%error, "the connection for notifications is lost");
                self.listener = None;
                sleep_until(end).await;
            }
        }
    }

    async fn connect(&mut self) {
        let connect = async {
            let mut listener = PgListener::connect_with(&self.pool).await?;
            listener.listen(CHANNEL).await?;
            Ok::<_, sqlx::Error>(listener)
        };
        match connect.await {
            Ok(listener) => self.listener = Some(listener),
            Err(error) => tracing::debug!(%error, "cannot listen for notifications; only polling"),
        }
    }
}
