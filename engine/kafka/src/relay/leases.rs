//! The leases of this process: which shards of the logs it publishes, and until when.
//!
//! A lease is a row with its holder and a beat that rises with each renewal. No wall clock takes part, neither the
//! database's nor a process's, so a clock that goes back or a lease from the future delays nothing.
//!
//! Two processes never hold a shard at the same time, because each counts [`LEASE_TTL`] by its own monotonic clock:
//!
//! - the holder from *before* it sent the statement that wrote a beat;
//! - a contender from *after* it saw that beat, which is later than the beat was written and so later than it was sent. It
//!   takes the shard by compare-and-set on holder and beat, so it fails if the holder has renewed since.
//!
//! This holds because an id holds leases in one run of one process only: a beat that was seen does not come back. A
//! renewal whose answer is lost only makes the contenders wait longer. Only a database that loses commits, as in a failover
//! to a replica that lags, can take beats back; then two processes may publish the same events for a moment, and the
//! compare-and-set of the progress shows it.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use recount_core::LogKey;
use recount_store::StoreError;
use tokio::time::Instant;
use uuid::Uuid;

use crate::relay::store::{Lease, RelayStore, SHARDS, shard_of};

/// How long a lease lasts after its last beat.
const LEASE_TTL: Duration = Duration::from_secs(10);
/// A lease is renewed well before it ends, so that one failure does not lose it.
const RENEW_INTERVAL: Duration = Duration::from_secs(3);

/// The leases of this process.
#[derive(Debug)]
pub(super) struct Leases {
    store: RelayStore,
    holder: Uuid,
    shards: HashSet<i16>,
    /// The leases of others, and since when each of them has been seen without a new beat.
    others: HashMap<i16, (Lease, Instant)>,
    valid_until: Instant,
    renew_at: Instant,
}

impl Leases {
    pub(super) fn new(store: RelayStore, holder: Uuid) -> Leases {
        let now = Instant::now();
        Leases {
            store,
            holder,
            shards: HashSet::new(),
            others: HashMap::new(),
            valid_until: now,
            renew_at: now,
        }
    }

    /// Renews the leases and takes free ones, if it is time. Returns whether a shard was lost, or is one that another
    /// process may have held in the meantime.
    pub(super) async fn renew(&mut self) -> Result<bool, StoreError> {
        let asked_at = Instant::now();
        if asked_at < self.renew_at {
            return Ok(false);
        }
        let ended = self.ended(asked_at);
        let leases = self.store.hold_shards(self.holder, &ended).await?;
        self.valid_until = asked_at + LEASE_TTL;
        let (mine, others): (Vec<Lease>, Vec<Lease>) =
            leases.into_iter().partition(|lease| lease.holder == self.holder);
        self.observe(others);
        let next_end = self.others.values().map(|(_, since)| *since + LEASE_TTL).min();
        let due = asked_at + RENEW_INTERVAL;
        self.renew_at = next_end.map_or(due, |end| due.min(end));
        let shards: HashSet<i16> = mine.iter().map(|lease| lease.shard).collect();
        let is_new = |lease: &Lease| lease.beat == 0 || ended.iter().any(|ended| ended.shard == lease.shard);
        let changed = shards != self.shards || mine.iter().any(is_new);
        if changed {
            tracing::info!(held = shards.len(), of = SHARDS, "the relay's leases have changed");
        }
        self.shards = shards;
        Ok(changed)
    }

    /// The leases of others that have ended by now.
    fn ended(&self, now: Instant) -> Vec<Lease> {
        let ended = self.others.values().filter(|(_, since)| now.duration_since(*since) >= LEASE_TTL);
        ended.map(|(lease, _)| *lease).collect()
    }

    /// Remembers which leases others hold. One that is seen for the first time counts from now, after it was read.
    fn observe(&mut self, others: Vec<Lease>) {
        let now = Instant::now();
        let before = std::mem::take(&mut self.others);
        self.others = others
            .into_iter()
            .map(|lease| match before.get(&lease.shard) {
                Some((seen, since)) if *seen == lease => (lease.shard, (lease, *since)),
                _ => (lease.shard, (lease, now)),
            })
            .collect();
    }

    /// Whether this process may publish any log now.
    pub(super) fn holds_any(&self) -> bool {
        !self.shards.is_empty() && Instant::now() < self.valid_until
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

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn lease(shard: i16, beat: i64) -> Lease {
        Lease { shard, holder: Uuid::from_u128(2), beat }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_has_ended_once_the_same_beat_was_seen_for_its_whole_time() {
        let pool = sqlx::PgPool::connect_lazy("postgres://nobody@localhost/none").unwrap();
        let mut leases = Leases::new(RelayStore::new(pool), Uuid::from_u128(1));
        leases.observe(vec![lease(0, 7), lease(1, i64::MAX - 1)]);
        advance(LEASE_TTL / 2).await;
        // The holder of shard 0 is alive.
        leases.observe(vec![lease(0, 8), lease(1, i64::MAX - 1)]);
        advance(LEASE_TTL / 2).await;
        assert_eq!(leases.ended(Instant::now()), [lease(1, i64::MAX - 1)]);
        // Somebody else has taken shard 1, and counts from zero.
        let taken = Lease { holder: Uuid::from_u128(3), ..lease(1, i64::MAX) };
        leases.observe(vec![lease(0, 8), taken]);
        advance(LEASE_TTL / 2).await;
        assert_eq!(leases.ended(Instant::now()), [lease(0, 8)]);
    }
}
