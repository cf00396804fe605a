//! Which shards of the logs this process publishes, and for how long it may believe so.

use std::collections::HashSet;
use std::time::Duration;

use recount_event_store::{EventStore, StoreError, relay};
use recount_events::LogKey;
use recount_service_kit::ids;
use tokio::time::Instant;
use uuid::Uuid;

/// How long a lease lasts: what the others wait when a process dies.
const TTL: Duration = Duration::from_secs(10);
/// Renewed well before it ends, so that one failure does not lose it.
const RENEW_INTERVAL: Duration = Duration::from_secs(3);

/// The leases of this process.
#[derive(Debug)]
pub(super) struct Leases {
    store: EventStore,
    holder: Uuid,
    shards: HashSet<i16>,
    valid_until: Instant,
    renew_at: Instant,
}

impl Leases {
    pub(super) fn new(store: EventStore) -> Leases {
        let now = Instant::now();
        Leases { store, holder: ids::new_id(), shards: HashSet::new(), valid_until: now, renew_at: now }
    }

    /// Renews what is held and takes what is free, when it is time. Answers whether it holds other shards than before.
    pub(super) async fn renew(&mut self) -> Result<bool, StoreError> {
        let now = Instant::now();
        if now < self.renew_at {
            return Ok(false);
        }
        // Counted from before the statement: the database's clock starts later, so the lease outlasts the belief.
        let shards = self.store.hold_shards(self.holder, TTL).await?;
        self.valid_until = now + TTL;
        self.renew_at = now + RENEW_INTERVAL;
        let shards: HashSet<i16> = shards.into_iter().collect();
        let changed = shards != self.shards;
        if changed {
            tracing::info!(held = shards.len(), of = relay::SHARDS, "the relay's leases have changed");
        }
        self.shards = shards;
        Ok(changed)
    }

    /// Whether this process publishes the log, now.
    pub(super) fn covers(&self, log: LogKey) -> bool {
        Instant::now() < self.valid_until && self.shards.contains(&relay::shard_of(log))
    }

    /// When it is time to renew.
    pub(super) fn due(&self) -> Instant {
        self.renew_at
    }

    /// Gives the leases back, so that another process need not wait for their end.
    pub(super) async fn release(self) {
        if let Err(error) = self.store.release_shards(self.holder).await {
            tracing::debug!(%error, "the relay's leases end by themselves");
        }
    }
}
