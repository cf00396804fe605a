//! Knowing without asking that something has never been in a log.
//!
//! The process that writes a log sees every event of it: its own, and the tail after it lost a compare-and-set. So a
//! compact filter of the tags and keys that were ever there answers "certainly new" in memory, and only the rest is
//! looked up. A false positive costs a look-up. Of tags there is no false negative. A key whose outcome another process
//! has recorded since is not known here; the store's unique constraint catches it.

use std::sync::Arc;

use fastbloom::BloomFilter;
use recount_event_store::{EventStore, KeyHash, Seen, StoreError, tag_hash};
use recount_events::{LogKey, Tag};
use tokio::sync::{Semaphore, oneshot};

/// A batch asks for a hundred things, and one false answer costs it a look-up: at this rate a batch in a thousand pays.
/// It takes three bytes for each thing seen.
const FALSE_POSITIVE_RATE: f64 = 0.000_01;
const FIRST_CAPACITY: usize = 1 << 14;
/// Each filter is this much larger than the one before: few of them, none much too large.
const GROWTH: usize = 4;

/// A set that only grows: Bloom filters, each larger than the one before.
#[derive(Debug)]
struct GrowingFilter {
    filters: Vec<BloomFilter>,
    room: usize,
    items: usize,
}

impl GrowingFilter {
    fn new() -> GrowingFilter {
        GrowingFilter { filters: Vec::new(), room: 0, items: 0 }
    }

    fn insert(&mut self, item: i64, items_max: usize) {
        if self.room == 0 {
            let size = u32::try_from(self.filters.len()).unwrap_or(u32::MAX);
            let room = FIRST_CAPACITY.saturating_mul(GROWTH.saturating_pow(size));
            self.room = room.min(items_max.saturating_sub(self.items)).max(1);
            self.filters.push(BloomFilter::with_false_pos(FALSE_POSITIVE_RATE).expected_items(self.room));
        }
        self.room -= 1;
        self.items += 1;
        self.filters.last_mut().expect("one was just pushed").insert(&item);
    }

    fn contains(&self, item: i64) -> bool {
        // The last one is the largest, and holds the newest: most of what is found is found there.
        self.filters.iter().rev().any(|filter| filter.contains(&item))
    }
}

/// What has been in one log.
#[derive(Debug)]
pub(super) struct SeenFilter {
    log: LogKey,
    /// What was there before this writer. Until it is read, nothing is certainly new.
    history: History,
    /// What came since.
    recent: GrowingFilter,
    items_max: usize,
}

#[derive(Debug)]
enum History {
    Reading(oneshot::Receiver<Option<GrowingFilter>>),
    Read(GrowingFilter),
    /// It could not be read, or is too large: everything is looked up.
    Unknown,
}

impl SeenFilter {
    /// Starts to read what has been in the log, when there is a place for it: many writers that start at once read one
    /// after another. Everything that comes from now on has to be put in.
    pub(super) fn start(
        store: &EventStore,
        log: LogKey,
        items_max: usize,
        places: Arc<Semaphore>,
    ) -> SeenFilter {
        let (done, history) = oneshot::channel();
        let store = store.clone();
        tokio::spawn(async move {
            let _place = places.acquire_owned().await;
            if done.is_closed() {
                return;
            }
            let history = read_history(&store, log, items_max).await.unwrap_or_else(|error| {
                tracing::warn!(%error, "what a log has seen could not be read; it is looked up instead");
                None
            });
            // The writer may be gone again; then nobody needs it.
            let _ = done.send(history);
        });
        SeenFilter { log, history: History::Reading(history), recent: GrowingFilter::new(), items_max }
    }

    pub(super) fn insert_tag(&mut self, tag: &Tag) {
        let hash = tag_hash(self.log, tag);
        self.insert(hash);
    }

    pub(super) fn insert_key(&mut self, key: KeyHash) {
        self.insert(key_bits(key));
    }

    pub(super) fn tag_is_new(&mut self, tag: &Tag) -> bool {
        let hash = tag_hash(self.log, tag);
        self.is_new(hash)
    }

    pub(super) fn key_is_new(&mut self, key: KeyHash) -> bool {
        self.is_new(key_bits(key))
    }

    fn insert(&mut self, item: i64) {
        if self.recent.contains(item) {
            return;
        }
        if self.recent.items < self.items_max {
            self.recent.insert(item, self.items_max);
        } else {
            self.history = History::Unknown;
        }
    }

    fn is_new(&mut self, item: i64) -> bool {
        if let History::Reading(receiver) = &mut self.history {
            match receiver.try_recv() {
                Ok(Some(history)) => self.history = History::Read(history),
                Ok(None) | Err(oneshot::error::TryRecvError::Closed) => self.history = History::Unknown,
                Err(oneshot::error::TryRecvError::Empty) => {}
            }
        }
        match &self.history {
            History::Read(history) => !self.recent.contains(item) && !history.contains(item),
            History::Reading(_) | History::Unknown => false,
        }
    }
}

fn key_bits(key: KeyHash) -> i64 {
    let (high, _) = key.0.as_u64_pair();
    high.cast_signed()
}

async fn read_history(
    store: &EventStore,
    log: LogKey,
    items_max: usize,
) -> Result<Option<GrowingFilter>, StoreError> {
    let mut filter = GrowingFilter::new();
    let whole = store
        .visit_seen(log, |seen| {
            let item = match seen {
                Seen::Tag(hash) => hash,
                Seen::Key(key) => key_bits(key),
            };
            filter.insert(item, items_max);
            filter.items < items_max
        })
        .await?;
    Ok(whole.then_some(filter))
}
