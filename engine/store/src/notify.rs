//! Wake-ups: notify for latency, poll for truth.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::reader::LogReader;
use crate::writer::LogWriter;

const CHANNEL: &str = "recount_store";

/// How long commits are gathered into one notification: short beside what a reader needs, long beside a commit.
const COALESCE: Duration = Duration::from_millis(5);

/// Tells other processes that a log has moved. Cheap to clone; lives as long as one clone does.
#[derive(Clone, Debug)]
pub struct CommitNotifier {
    moved: Arc<Notify>,
}

impl CommitNotifier {
    /// Starts the task that sends notifications, outside any transaction and one for many commits.
    pub fn start(writer: &LogWriter) -> CommitNotifier {
        let pool = writer.pool().clone();
        let moved = Arc::new(Notify::new());
        let watched = Arc::downgrade(&moved);
        tokio::spawn(async move {
            while let Some(moved) = watched.upgrade() {
                // The bound is only for noticing that the last notifier is gone.
                if timeout_at(Instant::now() + Duration::from_secs(1), moved.notified()).await.is_err() {
                    continue;
                }
                drop(moved);
                sleep(COALESCE).await;
                if let Err(error) = sqlx::query("select pg_notify($1, '')").bind(CHANNEL).execute(&pool).await
                {
                    tracing::debug!(%error, "no notification was sent; readers find the news by polling");
                }
            }
        });
        CommitNotifier { moved }
    }

    /// Says that something was committed.
    pub fn notify(&self) {
        self.moved.notify_one();
    }
}

/// Hears that some log has moved.
#[derive(Debug)]
pub struct CommitListener {
    pool: PgPool,
    listener: Option<PgListener>,
}

impl CommitListener {
    /// Listens from now on. Without a connection it only polls, and tries again.
    pub async fn listen(reader: &LogReader) -> CommitListener {
        let mut listening = CommitListener { pool: reader.pool().clone(), listener: None };
        listening.connect().await;
        listening
    }

    /// Returns when something may have changed: at a notification, and at the latest after this time.
    pub async fn changed(&mut self, at_most: Duration) {
        let end = Instant::now() + at_most;
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
                tracing::debug!(%error, "the listening connection is lost");
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
            Err(error) => tracing::debug!(%error, "cannot listen for news; polling"),
        }
    }
}
