//! Knowing without asking that something has never been in a log.
//!
//! The process that writes a log sees every event of it: its own, and the tail after it lost a compare-and-set. So a
//! compact filter of the tags and keys that were ever there answers "certainly new" in memory, and only the rest is
//! looked up. A false positive costs a look-up. Of tags there is no false negative. A key whose outcome another process
//! has recorded since is not known here; the store's unique constraint catches it.

use std::sync::Arc;

use fastbloom::BloomFilter;
use recount_core::{LogKey, Position, Tag};
use recount_store::{KeyHash, LogReader, Seen, StoreError, tag_hash};
use tokio::sync::{Semaphore, oneshot};

/// A batch asks for a hundred things, and one false answer costs it a look-up: at this rate a batch in a thousand pays.
/// It takes three bytes for each thing seen.
const FALSE_POSITIVE_RATE: f64 = 0.000_01;
/// Small: most logs are, and a process may write thousands of them.
const FIRST_CAPACITY: usize = 1 << 10;
/// Each filter is this much larger than the one before: few of them, none much too large.
const GROWTH: usize = 4;

/// What a log has seen is read once this much was looked up. Below it reading a long history costs more than it saves.
/// A busy writer is there after a few batches.
const LOOK_UPS_BEFORE_READING: u32 = 1_000;

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
        // A filter has room for things, and a thing may come a thousand times.
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
        // The last one is the largest, and holds the newest: most of what is found is found there.
        self.filters.iter().rev().any(|filter| filter.contains(&item))
    }
}

/// What has been in one log.
#[derive(Debug)]
pub(crate) struct SeenFilter {
    log: LogKey,
    store: LogReader,
    /// Where a reading takes its place.
    places: Arc<Semaphore>,
    history: History,
    /// What came since the history was asked for.
    recent: GrowingFilter,
    items_max: usize,
}

/// What was in the log before. Until it is read, nothing is certainly new.
#[derive(Debug)]
enum History {
    /// It may not be worth reading. Whatever comes now will be in it.
    Unread {
        look_ups: u32,
    },
    Reading(oneshot::Receiver<Option<GrowingFilter>>),
    Read(GrowingFilter),
    /// It could not be read, or is too large: everything is looked up.
    Unknown,
}

impl History {
    /// Of a log with this head, before anything is known.
    fn at(head: Position) -> History {
        match head {
            // No event, no tag. Keys there may be, of rejections; the store's unique constraint knows them.
            Position::START => History::Read(GrowingFilter::new()),
            _ => History::Unread { look_ups: 0 },
        }
    }
}

impl SeenFilter {
    /// A filter that reads what has been in the log once there is enough to look up, and when there is a place for it:
    /// many writers that start at once read one after another.
    pub(crate) fn new(
        store: &LogReader,
        log: LogKey,
        head: Position,
        items_max: usize,
        places: Arc<Semaphore>,
    ) -> SeenFilter {
        let (history, recent) = (History::at(head), GrowingFilter::new());
        SeenFilter { log, store: store.clone(), places, history, recent, items_max }
    }

    /// Begins anew: events up to this head have not been put in.
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
                if *look_ups >= LOOK_UPS_BEFORE_READING {
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
        let (mut done, history) = oneshot::channel();
        let (store, log, items_max) = (self.store.clone(), self.log, self.items_max);
        let places = Arc::clone(&self.places);
        tokio::spawn(async move {
            let reading = async {
                let _place = places.acquire_owned().await;
                read_history(&store, log, items_max).await
            };
            let history = tokio::select! {
                // First, so that it is asked however fast the rows come.
                biased;
                // The writer is gone again; nobody needs it.
                () = done.closed() => return,
                history = reading => history,
            };
            let history = history.unwrap_or_else(|error| {
                tracing::warn!(%error, "what a log has seen could not be read; it is looked up instead");
                None
            });
            let _ = done.send(history);
        });
        history
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
    fn a_thing_that_comes_often_takes_room_once() {
        let mut filter = GrowingFilter::new();
        for _ in 0..3 {
            (0..10_000).for_each(|item| filter.insert(item, usize::MAX));
        }
        assert!((9_990..=10_000).contains(&filter.items), "{} items", filter.items);
        assert_eq!(filter.filters.len(), 3);
        assert!((0..10_000).all(|item| filter.contains(item)));
    }

    #[test]
    fn there_are_never_more_things_than_there_may_be() {
        let mut filter = GrowingFilter::new();
        (0..100).for_each(|item| filter.insert(item, 100));
        assert_eq!((filter.items, filter.room), (100, 0));
    }

    #[tokio::test]
    async fn a_history_is_read_once_it_pays() {
        let mut filter = filter(Position(1));
        for n in 1..LOOK_UPS_BEFORE_READING {
            assert!(!filter.tag_is_new(&tag(n)));
            filter.insert_tag(&tag(n));
        }
        assert!(matches!(filter.history, History::Unread { .. }));
        assert_eq!(filter.recent.items, 0, "what comes now is in the history");
        assert!(!filter.tag_is_new(&tag(0)));
        assert!(matches!(filter.history, History::Reading(_)));
        filter.insert_tag(&tag(0));
        assert_eq!(filter.recent.items, 1);
    }

    #[tokio::test]
    async fn of_an_empty_log_everything_is_known() {
        let mut filter = filter(Position::START);
        assert!(filter.tag_is_new(&tag(1)));
        filter.insert_tag(&tag(1));
        assert!(!filter.tag_is_new(&tag(1)));
        assert!(filter.tag_is_new(&tag(2)));
    }
}
