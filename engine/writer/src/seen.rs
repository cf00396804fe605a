//! What a writer knows of the tags and idempotency keys in its log, so that what is new is not looked up.
//!
//! Of tags it must be sure: a decision would be wrong if it took an entity that exists for a new one. The process that
//! writes a log sees every event of it: its own, and those of other processes when it loses a compare-and-set. So it keeps a
//! filter of all tags in memory, which answers "certainly new" or "maybe seen", and only the second case needs a query. The
//! tags of before are read once in the background ([`TagHistory`]). Of keys a hint is enough: see [`RecentKeys`].
//!
//! Memory is bounded, and so is the work at a start, at any length of the log. Each complete segment has a stored filter;
//! only the rows of the last segment are read. If not all filters fit into memory, the newest are kept, and a tag that is in
//! none of them is looked up in the segments before.

use recount_core::{Position, Tag};
use recount_store::{segment_of, tag_hash};
use tokio::sync::oneshot;

use crate::growing_filter::GrowingFilter;
use crate::recent_keys::RecentKeys;
use crate::tag_history::{TagHistory, TagSource};

/// The history of a log is read after this many look-ups. With fewer, reading a long history costs more than it saves.
/// A busy writer gets there after a few batches.
const UNREAD_LOOK_UPS_MAX: u32 = 1_000;

/// The tags and keys of one log.
#[derive(Debug)]
pub(crate) struct SeenFilter {
    source: TagSource,
    /// The end of the log: what the filter has seen.
    head: Position,
    tags: Tags,
    pub(crate) keys: RecentKeys,
}

/// The tags of the log. Until its history is read, none is certainly new.
#[derive(Debug)]
enum Tags {
    /// Reading it may not be worth the cost. Tags that come now will be part of it.
    Unread {
        look_ups: u32,
    },
    Reading(Reading),
    Read {
        history: TagHistory,
        /// The tags of the events after the history.
        recent: GrowingFilter,
        /// A newer history: a segment was completed. It takes the place of this one.
        next: Option<Reading>,
    },
    /// They could not be read, or there is no memory for them: everything is looked up.
    Unknown,
}

#[derive(Debug)]
struct Reading {
    history: oneshot::Receiver<Option<TagHistory>>,
    /// The tags of the events that came after reading began.
    recent: GrowingFilter,
}

impl SeenFilter {
    /// A filter that reads the tags of the log after enough look-ups.
    pub(crate) fn new(source: TagSource, head: Position) -> SeenFilter {
        let tags = Tags::at(head, &source);
        SeenFilter { source, head, tags, keys: RecentKeys::new() }
    }

    /// Starts again at this head: the filter has not seen the events before it.
    pub(crate) fn reopen(&mut self, head: Position) {
        self.tags = Tags::at(head, &self.source);
        self.head = head;
    }

    /// Takes in the tags of the events up to `head`, which follow those that were taken in before.
    pub(crate) fn insert_tags<'a>(&mut self, head: Position, tags: impl IntoIterator<Item = &'a Tag>) {
        for tag in tags {
            let hash = tag_hash(self.source.log, tag);
            if !self.tags.insert(hash) {
                self.tags = Tags::Unknown;
            }
        }
        let completed = segment_of(self.head.next()) < segment_of(head.next());
        self.head = head;
        if let (true, Tags::Read { history, next, .. }) = (completed, &mut self.tags) {
            *next = Some(Reading::start(&self.source, head, Some(history)));
        }
    }

    pub(crate) fn tag_is_new(&mut self, tag: &Tag) -> bool {
        self.receive_history();
        let hash = tag_hash(self.source.log, tag);
        match &mut self.tags {
            Tags::Unread { look_ups } => {
                *look_ups += 1;
                if *look_ups >= UNREAD_LOOK_UPS_MAX {
                    self.tags = Tags::Reading(Reading::start(&self.source, self.head, None));
                }
                false
            }
            Tags::Read { history, recent, .. } => {
                history.last_unknown().is_none() && !recent.may_contain(hash) && !history.may_contain(hash)
            }
            Tags::Reading(_) | Tags::Unknown => false,
        }
    }

    /// The last segment with an event that may concern this entity; `None` if that is not known.
    pub(crate) fn last_segment(&self, tag: &Tag) -> Option<i32> {
        let Tags::Read { history, recent, .. } = &self.tags else { return None };
        let hash = tag_hash(self.source.log, tag);
        history.last_unknown().filter(|_| !recent.may_contain(hash) && !history.may_contain(hash))
    }

    fn receive_history(&mut self) {
        let reading = match &mut self.tags {
            Tags::Reading(reading) => reading,
            Tags::Read { next: Some(next), .. } => next,
            Tags::Unread { .. } | Tags::Read { next: None, .. } | Tags::Unknown => return,
        };
        let received = match reading.history.try_recv() {
            Ok(received) => received,
            Err(oneshot::error::TryRecvError::Closed) => None,
            Err(oneshot::error::TryRecvError::Empty) => return,
        };
        self.tags = match (std::mem::replace(&mut self.tags, Tags::Unknown), received) {
            (Tags::Reading(read) | Tags::Read { next: Some(read), .. }, Some(history)) => {
                Tags::Read { history, recent: read.recent, next: None }
            }
            // The older history is still true, with all that came after it.
            (Tags::Read { history, recent, .. }, None) => Tags::Read { history, recent, next: None },
            _ => Tags::Unknown,
        };
    }
}

impl Reading {
    fn start(source: &TagSource, head: Position, known: Option<&TagHistory>) -> Reading {
        Reading { history: source.start_reading(head, known), recent: GrowingFilter::new(&source.memory) }
    }
}

impl Tags {
    /// The tags of a log with this head, before anything is known about it.
    fn at(head: Position, source: &TagSource) -> Tags {
        match head {
            Position::START => Tags::Read {
                history: TagHistory::empty(&source.memory),
                recent: GrowingFilter::new(&source.memory),
                next: None,
            },
            _ => Tags::Unread { look_ups: 0 },
        }
    }

    /// Adds a tag. False if there is no memory for it.
    fn insert(&mut self, tag: i64) -> bool {
        match self {
            Tags::Unread { .. } | Tags::Unknown => true,
            Tags::Reading(reading) => reading.recent.insert(tag),
            Tags::Read { history, recent, next } => {
                if next.as_mut().is_some_and(|next| !next.recent.insert(tag)) {
                    *next = None;
                }
                // What is needed most is what is new.
                while !recent.insert(tag) {
                    if !history.forget_oldest() {
                        return false;
                    }
                }
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use recount_core::LogKey;
    use recount_store::LogWriter;
    use tokio::sync::Semaphore;

    use super::*;
    use crate::filter_memory::FilterMemory;

    fn tag(n: u32) -> Tag {
        Tag::new("seat", &n.to_string())
    }

    fn filter(head: Position, memory: usize) -> SeenFilter {
        let nowhere = sqlx::PgPool::connect_lazy("postgres://127.0.0.1:1/none").unwrap();
        let source = TagSource {
            store: LogWriter::new(nowhere),
            log: LogKey(1),
            memory: FilterMemory::new(memory),
            history_reads: Arc::new(Semaphore::new(0)),
        };
        SeenFilter::new(source, head)
    }

    #[tokio::test]
    async fn a_history_is_read_after_enough_look_ups() {
        let mut filter = filter(Position(1), 1 << 20);
        for n in 1..UNREAD_LOOK_UPS_MAX {
            assert!(!filter.tag_is_new(&tag(n)));
            filter.insert_tags(Position(i64::from(n)), [&tag(n)]);
        }
        assert!(matches!(filter.tags, Tags::Unread { .. }), "tags that come now are in the history");
        assert!(!filter.tag_is_new(&tag(0)));
        filter.insert_tags(Position(2_000), [&tag(0)]);
        let Tags::Reading(reading) = &filter.tags else { panic!("{filter:?}") };
        assert_eq!(reading.recent.items(), 1);
    }

    #[tokio::test]
    async fn the_history_of_an_empty_log_is_known() {
        let mut filter = filter(Position::START, 1 << 20);
        assert!(filter.tag_is_new(&tag(1)));
        filter.insert_tags(Position(1), [&tag(1)]);
        assert!(!filter.tag_is_new(&tag(1)));
        assert!(filter.tag_is_new(&tag(2)));
    }

    #[tokio::test]
    async fn without_memory_nothing_is_certainly_new() {
        let mut filter = filter(Position::START, 0);
        filter.insert_tags(Position(1), [&tag(1)]);
        assert!(!filter.tag_is_new(&tag(1)));
        assert!(!filter.tag_is_new(&tag(2)));
        assert_eq!(filter.last_segment(&tag(2)), None);
    }

    #[tokio::test]
    async fn a_segment_that_is_complete_makes_a_newer_history_be_read() {
        let mut filter = filter(Position::START, 1 << 20);
        filter.insert_tags(Position((1 << 22) - 2), [&tag(1)]);
        assert!(matches!(filter.tags, Tags::Read { next: None, .. }));
        filter.insert_tags(Position((1 << 22) - 1), [&tag(2)]);
        assert!(matches!(filter.tags, Tags::Read { next: Some(_), .. }));
        filter.insert_tags(Position(1 << 22), [&tag(3)]);
        // What was known stays known meanwhile.
        assert!(filter.tag_is_new(&tag(4)));
        assert!((1..=3).all(|n| !filter.tag_is_new(&tag(n))));
    }
}
