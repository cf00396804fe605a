//! The relay: publishes every log to Kafka, in order, once it is durable.
//!
//! The relay reads events from the store and publishes them. It saves its progress only up to the last event that was
//! certainly delivered, so after a crash it publishes some events twice, and consumers skip them by position and hash. The
//! logs are divided into shards. One process at a time holds the lease of a shard and publishes its logs.
//!
//! If a log does not contain what was published of it, the relay publishes nothing more of that log and says so in its
//! [`Status`]. [`RelayStore::forget`] lets it go on.

mod backlog;
mod leases;
mod round_robin;
mod status;
mod store;
mod turn;

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

pub use status::{Status, StoppedLog};
pub use store::{Lease, Published, RelayStore, SHARDS};

/// How long a commit may go unnoticed if no notification comes.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// The pause before a retry.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// Publishes until the token is cancelled. `holder` is the id under which this relay holds leases. It must be a new one
/// for every call.
pub async fn run(
    reader: LogReader,
    store: RelayStore,
    topic: Topic,
    holder: Uuid,
    status: Status,
    stopping: CancellationToken,
) {
    let Some(publisher) = stopping.run_until_cancelled(connect(&topic)).await else {
        return;
    };
    let mut listener = CommitListener::listen(&reader).await;
    let mut leases = Leases::new(store.clone(), holder);
    let mut backlog = Backlog::new(reader, store, publisher, status);
    while !stopping.is_cancelled() {
        // An interrupted round has published more than it saved. The difference is published again.
        let Some(round) = stopping.run_until_cancelled(round(&mut leases, &mut backlog)).await else { break };
        let pause = match round {
            Ok(()) if backlog.is_idle() => POLL_INTERVAL,
            Ok(()) => Duration::ZERO,
            Err(error) => {
                tracing::warn!(%error, "the relay cannot publish and retries");
                backlog.restart();
                RETRY_INTERVAL
            }
        };
        if !pause.is_zero() {
            stopping.run_until_cancelled(listener.changed(pause)).await;
        }
    }
    if let Err(error) = backlog.save().await {
        tracing::debug!(%error, "the progress of the relay could not be saved; some events will be published again");
    }
    leases.release().await;
}

/// Why the relay could not continue. It retries after every error, because Kafka and the store come back.
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
        backlog.forget(leases);
    }
    // Another process looks after the logs of the other shards.
    if leases.holds_any() {
        backlog.look(leases).await?;
        backlog.publish(leases).await?;
    }
    backlog.measure();
    Ok(())
}

/// Waits until the topic exists, and returns a publisher to it. Kafka may be unreachable when the process starts.
async fn connect(topic: &Topic) -> Publisher {
    loop {
        let connected = async {
            ensure_topic(topic).await?;
            Publisher::new(topic)
        };
        match connected.await {
            Ok(publisher) => return publisher,
            Err(error) => {
                tracing::warn!(error = %ErrorChain(&error), "Kafka is not ready; the relay retries");
                tokio::time::sleep(RETRY_INTERVAL).await;
            }
        }
    }
}
