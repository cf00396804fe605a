//! The relay: publishes every log to Kafka, in order, once it is durable.
//!
//! The log is the truth and Kafka the fast path: the relay reads the store, publishes, and notes how far it is only
//! for a prefix that was delivered. What it publishes twice after a crash, consumers skip by position. One process
//! at a time publishes a shard of the logs, by lease. It knows no domain.

mod leases;
mod publish;
mod turns;

use std::time::Duration;

use recount_event_store::{EventStore, News};
use recount_messaging::{MessagingError, Publisher, Topic, ensure_topic};
use tokio_util::sync::CancellationToken;

use leases::Leases;
use publish::Backlog;

/// The longest that news may go unnoticed when no wake-up comes.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// How long to wait before something that failed is tried again.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// Publishes until it is told to stop.
pub async fn run(store: EventStore, topic: Topic, stopping: CancellationToken) {
    let Some(publisher) = stopping.run_until_cancelled(connect(&topic)).await else {
        return;
    };
    let mut news = News::listen(store.pool()).await;
    let mut leases = Leases::new(store.clone());
    let mut backlog = Backlog::new(store, publisher);
    while !stopping.is_cancelled() {
        // A round that is cut off has noted less than it published, which is published again.
        let Some(round) = stopping.run_until_cancelled(round(&mut leases, &mut backlog)).await else { break };
        let pause = match round {
            Ok(()) if backlog.is_idle() => POLL_INTERVAL,
            Ok(()) => Duration::ZERO,
            Err(setback) => {
                tracing::warn!(%setback, "the relay cannot publish and tries again");
                backlog.forget();
                RETRY_INTERVAL
            }
        };
        if !pause.is_zero() {
            stopping.run_until_cancelled(news.changed(pause)).await;
        }
    }
    if let Err(error) = backlog.note().await {
        tracing::debug!(%error, "how far the relay came is not noted, and the rest is published again");
    }
    leases.release().await;
}

/// Why the relay could not go on. It tries again whatever it is: Kafka and the store come back.
#[derive(Debug, thiserror::Error)]
enum Setback {
    #[error("{}", Chain(.0))]
    Store(#[from] recount_event_store::StoreError),
    #[error("{}", Chain(.0))]
    Kafka(#[from] MessagingError),
}

/// An error with its causes, in one line.
struct Chain<'a>(&'a dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

/// Holds the leases and publishes what has come.
async fn round(leases: &mut Leases, backlog: &mut Backlog) -> Result<(), Setback> {
    if leases.renew().await? {
        backlog.note().await?;
        backlog.forget();
    }
    backlog.look(leases).await?;
    Ok(backlog.publish(leases).await?)
}

/// A publisher whose topic is there. Kafka may be away when the process starts.
async fn connect(topic: &Topic) -> Publisher {
    loop {
        let connected = async {
            ensure_topic(topic).await?;
            Publisher::new(topic)
        };
        match connected.await {
            Ok(publisher) => return publisher,
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "Kafka is not ready; the log waits");
                tokio::time::sleep(RETRY_INTERVAL).await;
            }
        }
    }
}
