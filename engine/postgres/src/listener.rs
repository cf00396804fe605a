//! Listening for notifications, on a connection that is known to be alive.

use std::time::Duration;

use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use crate::database::Database;
use crate::limits::ACQUIRE_TIMEOUT;

/// How long the connection may be silent until it is asked whether it is alive. Notifications only make things fast, so
/// nothing depends on this.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// How long it may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Listens on a channel. It has a connection of its own beside the pool, so that a vanished host costs the pool nothing.
#[derive(Debug)]
pub struct Listener {
    database: Database,
    channel: &'static str,
    listening: Option<PgListener>,
    heard_at: Instant,
}

impl Listener {
    /// Starts listening. While there is no connection, each wait tries to open one.
    pub async fn start(database: &Database, channel: &'static str) -> Listener {
        let mut listener =
            Listener { database: database.clone(), channel, listening: None, heard_at: Instant::now() };
        listener.connect().await;
        listener
    }

    /// Waits for a notification, at most this long. Returns whether there was one.
    pub async fn wait(&mut self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        if self.listening.is_none() {
            self.connect().await;
        }
        let Some(listening) = &mut self.listening else {
            sleep_until(end).await;
            return false;
        };
        match timeout_at(end, listening.recv()).await {
            Ok(Ok(_)) => {
                self.heard_at = Instant::now();
                true
            }
            Ok(Err(error)) => {
                self.lose(&error);
                sleep_until(end).await;
                false
            }
            Err(_) => {
                self.check().await;
                false
            }
        }
    }

    /// A vanished host says nothing, just like a quiet one.
    async fn check(&mut self) {
        let Some(listening) = &mut self.listening else { return };
        if self.heard_at.elapsed() < SILENCE_MAX {
            return;
        }
        match timeout(ANSWER_TIMEOUT, sqlx::query("select 1").execute(listening)).await {
            Ok(Ok(_)) => self.heard_at = Instant::now(),
            Ok(Err(error)) => self.lose(&error),
            Err(_) => self.lose(&sqlx::Error::PoolTimedOut),
        }
    }

    fn lose(&mut self, error: &sqlx::Error) {
        tracing::debug!(%error, channel = self.channel, "the connection for notifications is lost");
        self.listening = None;
    }

    async fn connect(&mut self) {
        let options = self.database.pool().connect_options();
        let connect = async {
            let pool = PgPoolOptions::new()
                .max_connections(1)
                .acquire_timeout(ACQUIRE_TIMEOUT)
                .connect_lazy_with((*options).clone());
            let mut listening = PgListener::connect_with(&pool).await?;
            listening.listen(self.channel).await?;
            Ok::<_, sqlx::Error>(listening)
        };
        match timeout(ACQUIRE_TIMEOUT, connect).await {
            Ok(Ok(listening)) => {
                self.listening = Some(listening);
                self.heard_at = Instant::now();
            }
            Ok(Err(error)) => self.lose(&error),
            Err(_) => self.lose(&sqlx::Error::PoolTimedOut),
        }
    }
}
