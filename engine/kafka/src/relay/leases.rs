//! The leases of this process: which shards of the logs it publishes, and until when.

use std::collections::HashSet;
use std::time::Duration;

use recount_core::LogKey;
use recount_store::StoreError;
use tokio::time::Instant;
use uuid::Uuid;

use crate::relay::store::{RelayStore, SHARDS, shard_of};

/// How long a lease lasts, and so how long the others wait when a process dies.
const LEASE_TTL: Duration = Duration::from_secs(10);
/// A lease is renewed well before it ends, so that one failure does not lose it.
const RENEW_INTERVAL: Duration = Duration::from_secs(3);

/// The leases of this process.
#[derive(Debug)]
pub(super) struct Leases {
    store: RelayStore,
    holder: Uuid,
    shards: HashSet<i16>,
    valid_until: Instant,
    renew_at: Instant,
}

impl Leases {
    pub(super) fn new(store: RelayStore, holder: Uuid) -> Leases {
        let now = Instant::now();
        Leases { store, holder, shards: HashSet::new(), valid_until: now, renew_at: now }
    }

    /// Renews the leases and takes free ones, if it is time. Returns whether the shards have changed.
    pub(super) async fn renew(&mut self) -> Result<bool, StoreError> {
        let now = Instant::now();
        if now < self.renew_at {
            return Ok(false);
        }
        // The time counts from before the statement. The database counts from a later time, so its lease ends later.
        let shards = self.store.hold_shards(self.holder, LEASE_TTL).await?;
        self.valid_until = now + LEASE_TTL;
        self.renew_at = now + RENEW_INTERVAL;
        let shards: HashSet<i16> = shards.into_iter().collect();
        let changed = shards != self.shards;
        if changed {
            tracing::info!(held = shards.len(), of = SHARDS, "the relay's leases have changed");
        }
        self.shards = shards;
        Ok(changed)
    }

    /// Whether this process may publish the log now.
    pub(super) fn covers(&self, log: LogKey) -> bool {
        Instant::now() < self.valid_until && self.shards.contains(&shard_of(log))
    }

    /// When it is time to renew.
    pub(super) fn due(&self) -> Instant {
        self.renew_at
    }

    /// Returns the leases, so that another process need not wait for their end.
    pub(super) async fn release(self) {
        if let Err(error) = self.store.release_shards(self.holder).await {
            tracing::debug!(%error, "the relay's leases end by themselves");
        }
    }
}
