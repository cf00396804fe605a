//! A filter of the tags and idempotency keys in a log: without a query, it tells that one of them is new.
//!
//! The process that writes a log sees every event of it: its own, and those of other processes when it loses a
//! compare-and-set. So it can keep a compact filter of all tags and keys in memory. The filter answers "certainly new"
//! or "maybe seen", and only the second case needs a query. A tag that is in the log never counts as new. A key may:
//! the filter does not know the outcomes that other processes have recorded, and the store's unique constraint catches
//! those.

use std::sync::Arc;

use fastbloom::BloomFilter;
use recount_core::{LogKey, Position, Tag};
use recount_store::{KeyHash, LogReader, Seen, StoreError, tag_hash};
use tokio::sync::{Semaphore, oneshot};

/// A batch asks about a hundred items, and a false positive costs it a query: at this rate one batch in a thousand
/// makes an unnecessary query. The filter takes three bytes per item.
const FALSE_POSITIVE_RATE: f64 = 0.000_01;
/// The first filter is small, because most logs are, and a process may write thousands of them.
const FIRST_CAPACITY: usize = 1 << 10;
/// Each filter is this many times larger than the previous one: a log needs few filters, and none is much too large.
const GROWTH: usize = 4;

/// The history of a log is read after this many look-ups. With fewer, reading a long history costs more than it saves.
/// A busy writer gets there after a few batches.
const UNREAD_LOOK_UPS_MAX: u32 = 1_000;

/// A set that only grows: Bloom filters, each larger than the previous one.
#[derive(Debug)]
struct GrowingFilter {
    filters: Vec<BloomFilter>,
    /// How many more items the last filter takes.
    room: usize,
    items: usize,
}

impl GrowingFilter {
    fn new() -> GrowingFilter {
        GrowingFilter { filters: Vec::new(), room: 0, items: 0 }
    }

    fn insert(&mut self, item: i64, items_max: usize) {
        // An item that comes a thousand times takes room only once.
        if self.contains(item) {
            return;
        }
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
        // The last filter is the largest and has the newest items, so most items are found there.
        self.filters.iter().rev().any(|filter| filter.contains(&item))
    }
}

/// The tags and keys of one log.
#[derive(Debug)]
pub(crate) struct SeenFilter {
    log: LogKey,
    store: LogReader,
    /// Permits to read the history of a log.
    history_reads: Arc<Semaphore>,
    history: History,
    /// The items that came after reading the history began.
    recent: GrowingFilter,
    items_max: usize,
}

/// The items that were in the log before. Until they are read, nothing is certainly new.
#[derive(Debug)]
enum History {
    /// Reading it may not be worth the cost. Items that come now will be part of it.
    Unread {
        look_ups: u32,
    },
    Reading(oneshot::Receiver<Option<GrowingFilter>>),
    Read(GrowingFilter),
    /// It could not be read, or it is too large: everything is looked up.
    Unknown,
}

impl History {
    /// The history of a log with this head, before anything is known about it.
    fn at(head: Position) -> History {
        match head {
            // No events, so no tags. There may be keys of rejections; the store's unique constraint catches those.
            Position::START => History::Read(GrowingFilter::new()),
            _ => History::Unread { look_ups: 0 },
        }
    }
}

impl SeenFilter {
    /// A filter that reads the history of the log after enough look-ups. It waits for a permit first, so that writers
    /// that start at the same time do not all read at once.
    pub(crate) fn new(
        store: &LogReader,
        log: LogKey,
        head: Position,
        items_max: usize,
        history_reads: Arc<Semaphore>,
    ) -> SeenFilter {
        let (history, recent) = (History::at(head), GrowingFilter::new());
        SeenFilter { log, store: store.clone(), history_reads, history, recent, items_max }
    }

    /// Starts again at this head: the filter has not seen the events before it.
    pub(crate) fn reopen(&mut self, head: Position) {
        self.history = History::at(head);
        self.recent = GrowingFilter::new();
    }

    pub(crate) fn insert_tag(&mut self, tag: &Tag) {
        let hash = tag_hash(self.log, tag);
        self.insert(hash);
    }

    pub(crate) fn insert_key(&mut self, key: KeyHash) {
        self.insert(key_bits(key));
    }

    pub(crate) fn tag_is_new(&mut self, tag: &Tag) -> bool {
        let hash = tag_hash(self.log, tag);
        self.is_new(hash)
    }

    pub(crate) fn key_is_new(&mut self, key: KeyHash) -> bool {
        self.is_new(key_bits(key))
    }

    fn insert(&mut self, item: i64) {
        match self.history {
            History::Unread { .. } | History::Unknown => {}
            History::Reading(_) | History::Read(_) if self.recent.items < self.items_max => {
                self.recent.insert(item, self.items_max);
            }
            History::Reading(_) | History::Read(_) => self.give_up(),
        }
    }

    fn is_new(&mut self, item: i64) -> bool {
        match &mut self.history {
            History::Unread { look_ups } => {
                *look_ups += 1;
                if *look_ups >= UNREAD_LOOK_UPS_MAX {
                    self.history = History::Reading(self.start_reading());
                }
            }
            History::Reading(receiver) => match receiver.try_recv() {
                Ok(Some(history)) => self.history = History::Read(history),
                Ok(None) | Err(oneshot::error::TryRecvError::Closed) => self.give_up(),
                Err(oneshot::error::TryRecvError::Empty) => {}
            },
            History::Read(_) | History::Unknown => {}
        }
        match &self.history {
            History::Read(history) => !self.recent.contains(item) && !history.contains(item),
            History::Unread { .. } | History::Reading(_) | History::Unknown => false,
        }
    }

    fn give_up(&mut self) {
        self.history = History::Unknown;
        self.recent = GrowingFilter::new();
    }

    fn start_reading(&self) -> oneshot::Receiver<Option<GrowingFilter>> {
        let (mut sender, receiver) = oneshot::channel();
        let (store, log, items_max) = (self.store.clone(), self.log, self.items_max);
        let history_reads = Arc::clone(&self.history_reads);
        tokio::spawn(async move {
            let reading = async {
                let _permit = history_reads.acquire_owned().await;
                read_history(&store, log, items_max).await
            };
            let history = tokio::select! {
                // Checked first, so that it is noticed however fast the rows come.
                biased;
                // The writer is gone, and nobody needs the history.
                () = sender.closed() => return,
                history = reading => history,
            };
            let history = history.unwrap_or_else(|error| {
                tracing::warn!(%error, "the history of a log could not be read; its tags and keys are looked up instead");
                None
            });
            let _ = sender.send(history);
        });
        receiver
    }
}

fn key_bits(key: KeyHash) -> i64 {
    let (high, _) = key.0.as_u64_pair();
    high.cast_signed()
}

async fn read_history(
    store: &LogReader,
    log: LogKey,
    items_max: usize,
) -> Result<Option<GrowingFilter>, StoreError> {
    let mut filter = GrowingFilter::new();
    let complete = store
        .visit_seen(log, |seen| {
            let item = match seen {
                Seen::Tag(hash) => hash,
                Seen::Key(key) => key_bits(key),
            };
            filter.insert(item, items_max);
            filter.items < items_max
        })
        .await?;
    Ok(complete.then_some(filter))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(n: u32) -> Tag {
        Tag::new("seat", &n.to_string())
    }

    fn filter(head: Position) -> SeenFilter {
        let nowhere = sqlx::PgPool::connect_lazy("postgres://127.0.0.1:1/none").unwrap();
        SeenFilter::new(&LogReader::new(nowhere), LogKey(1), head, 1_000_000, Arc::new(Semaphore::new(0)))
    }

    #[test]
    fn a_repeated_item_takes_room_once() {
        let mut filter = GrowingFilter::new();
        for _ in 0..3 {
            (0..10_000).for_each(|item| filter.insert(item, usize::MAX));
        }
        assert!((9_990..=10_000).contains(&filter.items), "{} items", filter.items);
        assert_eq!(filter.filters.len(), 3);
        assert!((0..10_000).all(|item| filter.contains(item)));
    }

    #[test]
    fn a_filter_has_no_room_beyond_the_limit() {
        let mut filter = GrowingFilter::new();
        (0..100).for_each(|item| filter.insert(item, 100));
        assert_eq!((filter.items, filter.room), (100, 0));
    }

    #[tokio::test]
    async fn a_history_is_read_after_enough_look_ups() {
        let mut filter = filter(Position(1));
        for n in 1..UNREAD_LOOK_UPS_MAX {
            assert!(!filter.tag_is_new(&tag(n)));
            filter.insert_tag(&tag(n));
        }
        assert!(matches!(filter.history, History::Unread { .. }));
        assert_eq!(filter.recent.items, 0, "items that come now are in the history");
        assert!(!filter.tag_is_new(&tag(0)));
        assert!(matches!(filter.history, History::Reading(_)));
        filter.insert_tag(&tag(0));
        assert_eq!(filter.recent.items, 1);
    }

    #[tokio::test]
    async fn the_history_of_an_empty_log_is_known() {
        let mut filter = filter(Position::START);
        assert!(filter.tag_is_new(&tag(1)));
        filter.insert_tag(&tag(1));
        assert!(!filter.tag_is_new(&tag(1)));
        assert!(filter.tag_is_new(&tag(2)));
    }
}
