//! The relay: publishes every log to Kafka, in order, once it is durable.
//!
//! The log is the truth and Kafka the fast path: the relay reads the store, publishes, and saves its progress only over a
//! prefix that was delivered. After a crash it publishes some events twice; consumers skip them by position. One process
//! at a time publishes a shard of the logs, by lease.

mod backlog;
mod leases;
mod round_robin;
mod store;

use std::time::Duration;

use recount_core::ErrorChain;
use recount_store::{CommitListener, LogReader, StoreError};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::error::MessagingError;
use crate::publisher::Publisher;
use crate::topic::{Topic, ensure_topic};

use backlog::Backlog;
use leases::Leases;

pub use store::{Published, RelayStore, SHARDS};

/// How long a commit may go unnoticed if no notification comes.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// The pause before a retry.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// Publishes until the token is cancelled. `holder` is an id of this relay and no other: it holds the leases.
pub async fn run(
    reader: LogReader,
    store: RelayStore,
    topic: Topic,
    holder: Uuid,
    stopping: CancellationToken,
) {
    let Some(publisher) = stopping.run_until_cancelled(connect(&topic)).await else {
        return;
    };
    let mut listener = CommitListener::listen(&reader).await;
    let mut leases = Leases::new(store.clone(), holder);
    let mut backlog = Backlog::new(reader, store, publisher);
    while !stopping.is_cancelled() {
        // A round that is cut off has saved less than it published; the rest is published again.
        let Some(round) = stopping.run_until_cancelled(round(&mut leases, &mut backlog)).await else { break };
        let pause = match round {
            Ok(()) if backlog.is_idle() => POLL_INTERVAL,
            Ok(()) => Duration::ZERO,
            Err(error) => {
                tracing::warn!(%error, "the relay cannot publish and retries");
                backlog.forget();
                RETRY_INTERVAL
            }
        };
        if !pause.is_zero() {
            stopping.run_until_cancelled(listener.changed(pause)).await;
        }
    }
    if let Err(error) = backlog.save().await {
        tracing::debug!(%error, "the progress of the relay is not saved; the rest is published again");
    }
    leases.release().await;
}

/// Why the relay could not go on. It retries whatever it is: Kafka and the store come back.
#[derive(Debug, thiserror::Error)]
enum RelayError {
    #[error("{}", ErrorChain(.0))]
    Store(#[from] StoreError),
    #[error("{}", ErrorChain(.0))]
    Kafka(#[from] MessagingError),
}

/// Renews the leases and publishes.
async fn round(leases: &mut Leases, backlog: &mut Backlog) -> Result<(), RelayError> {
    if leases.renew().await? {
        backlog.save().await?;
        backlog.forget();
    }
    backlog.look(leases).await?;
    Ok(backlog.publish(leases).await?)
}

/// A publisher whose topic exists. Kafka may be away when the process starts.
async fn connect(topic: &Topic) -> Publisher {
    loop {
        let connected = async {
            ensure_topic(topic).await?;
            Publisher::new(topic)
        };
        match connected.await {
            Ok(publisher) => return publisher,
            Err(error) => {
                tracing::warn!(error = %ErrorChain(&error), "Kafka is not ready; the log waits");
                tokio::time::sleep(RETRY_INTERVAL).await;
            }
        }
    }
}
