//! The tags that a log had before a writer began to watch it, read in the background.

use std::collections::BTreeMap;
use std::sync::Arc;

use recount_core::{LogKey, Position};
use recount_store::{LogWriter, SEGMENT_BITS, StoreError, segment_of};
use tokio::sync::{Semaphore, oneshot};

use crate::filter_memory::FilterMemory;
use crate::growing_filter::GrowingFilter;
use crate::tag_filter::{TAG_FILTER_VERSION, TagFilter, TagFilterBuilder};

/// Rows of a page when the tags of a segment are read: a statement of some ten milliseconds.
const PAGE_ROWS_MAX: i64 = 50_000;

/// About how many bytes of filter a position takes: two tags that no other event has.
const BYTES_PER_POSITION: usize = 6;

/// What the tags of one log are read from, and where they may be kept.
#[derive(Clone, Debug)]
pub(crate) struct TagSource {
    pub store: LogWriter,
    pub log: LogKey,
    pub memory: FilterMemory,
    /// Permits to read the history of a log.
    pub history_reads: Arc<Semaphore>,
}

type CompleteSegments = BTreeMap<i32, Arc<TagFilter>>;

/// The tags of the segments from one on, up to some position.
#[derive(Debug)]
pub(crate) struct TagHistory {
    complete: CompleteSegments,
    /// The first segment of which the tags are here. Nothing is known of those before.
    first: i32,
    /// The segment that was not complete.
    open: GrowingFilter,
}

impl TagHistory {
    /// That of a log without events.
    pub(crate) fn empty(memory: &FilterMemory) -> TagHistory {
        TagHistory { complete: BTreeMap::new(), first: 0, open: GrowingFilter::new(memory) }
    }

    /// Whether the tag may be in one of the segments that are here.
    pub(crate) fn may_contain(&self, tag: i64) -> bool {
        self.open.may_contain(tag) || self.complete.values().rev().any(|segment| segment.may_contain(tag))
    }

    /// The last segment of which nothing is known, if there is one.
    pub(crate) fn last_unknown(&self) -> Option<i32> {
        (self.first > 0).then(|| self.first - 1)
    }

    /// Gives the memory of the oldest segment back. False if there is none.
    pub(crate) fn forget_oldest(&mut self) -> bool {
        match self.complete.pop_first() {
            Some((segment, _)) => {
                self.first = segment + 1;
                true
            }
            None => false,
        }
    }
}

impl TagSource {
    /// Reads the tags of all events up to `head` in the background. It waits for a permit first, so that writers that start
    /// at the same time do not all read at once. What is known of complete segments already is not read again.
    ///
    /// Receives `None` if they cannot be read or do not fit into memory.
    pub(crate) fn start_reading(
        &self,
        head: Position,
        known: Option<&TagHistory>,
    ) -> oneshot::Receiver<Option<TagHistory>> {
        let (mut sender, receiver) = oneshot::channel();
        let source = self.clone();
        let known = known.map(|known| known.complete.clone()).unwrap_or_default();
        tokio::spawn(async move {
            let reading = async {
                let _permit = Arc::clone(&source.history_reads).acquire_owned().await;
                source.read(head, known).await
            };
            let history = tokio::select! {
                // Checked first, so that it is noticed however fast the rows come.
                biased;
                // The writer is gone, and nobody needs the history.
                () = sender.closed() => return,
                history = reading => history,
            };
            let history = history.unwrap_or_else(|error| {
                tracing::warn!(%error, "the tags of a log could not be read; they are looked up instead");
                None
            });
            let _ = sender.send(history);
        });
        receiver
    }

    async fn read(
        &self,
        head: Position,
        mut known: CompleteSegments,
    ) -> Result<Option<TagHistory>, StoreError> {
        let open_segment = segment_of(head.next());
        let Some(open) = self.read_open(open_segment, head).await? else { return Ok(None) };
        let mut history = TagHistory { complete: BTreeMap::new(), first: open_segment, open };
        let stored: BTreeMap<i32, usize> =
            self.store.reader().tag_filter_sizes(self.log, TAG_FILTER_VERSION).await?.into_iter().collect();
        // The newest first: where memory is short, those are kept.
        for segment in (0..open_segment).rev() {
            let filter = match known.remove(&segment) {
                Some(filter) => Some(filter),
                None => self.complete_segment(segment, stored.get(&segment).copied()).await?.map(Arc::new),
            };
            let Some(filter) = filter else { break };
            history.complete.insert(segment, filter);
            history.first = segment;
        }
        Ok(Some(history))
    }

    /// The tags of the segment that is not complete; `None` if they do not fit into memory.
    async fn read_open(&self, segment: i32, head: Position) -> Result<Option<GrowingFilter>, StoreError> {
        let positions = head.next().0 & ((1 << SEGMENT_BITS) - 1);
        // Found out before it is read, or every start would read it in vain.
        if usize::try_from(positions).unwrap_or(usize::MAX).saturating_mul(BYTES_PER_POSITION)
            > self.memory.left()
        {
            return Ok(None);
        }
        let mut open = GrowingFilter::new(&self.memory);
        let mut fits = true;
        self.visit_tags(segment, |tag| {
            fits = open.insert(tag);
            fits
        })
        .await?;
        Ok(fits.then_some(open))
    }

    /// The filter of a complete segment: the stored one, or a new one, which is stored. `None` if it does not fit into
    /// memory.
    async fn complete_segment(
        &self,
        segment: i32,
        stored: Option<usize>,
    ) -> Result<Option<TagFilter>, StoreError> {
        if let Some(bytes) = stored {
            let Some(room) = self.memory.take_for_history(bytes) else { return Ok(None) };
            let filter = self.store.reader().tag_filter(self.log, segment, TAG_FILTER_VERSION).await?;
            if let Some(filter) = filter.and_then(|filter| TagFilter::from_bytes(filter, room)) {
                return Ok(Some(filter));
            }
        }
        self.build(segment).await
    }

    /// Builds the filter of a complete segment from its rows, once for all processes and starts.
    async fn build(&self, segment: i32) -> Result<Option<TagFilter>, StoreError> {
        // What is read before and after is of one history if its end is the same: a log that went back does not come again.
        let Some(end) = self.store.reader().end_of_segment(self.log, segment).await? else {
            return Err(StoreError::Corrupt(format!("segment {segment} of log {} has no end", self.log.0)));
        };
        let mut builder = TagFilterBuilder::default();
        self.visit_tags(segment, |tag| {
            builder.push(tag);
            true
        })
        .await?;
        let bytes = builder.finish();
        self.store.save_tag_filter(self.log, segment, TAG_FILTER_VERSION, end, &bytes).await?;
        tracing::debug!(segment, bytes = bytes.len(), "the filter of a segment was built");
        let room = self.memory.take_for_history(bytes.len());
        Ok(room.and_then(|room| TagFilter::from_bytes(bytes, room)))
    }

    /// Calls `visit` with the tags of a segment in the order of their hashes, until it returns false.
    async fn visit_tags(&self, segment: i32, mut visit: impl FnMut(i64) -> bool) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = self.store.reader().tags_of_segment(self.log, segment, after, PAGE_ROWS_MAX).await?;
            if page.is_empty() || !page.iter().all(|place| visit(place.tag)) {
                return Ok(());
            }
            after = page.last().copied();
            tokio::task::consume_budget().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_that_are_forgotten_are_those_of_long_ago() {
        let memory = FilterMemory::new(1 << 20);
        let segment = |tag| {
            let mut builder = TagFilterBuilder::default();
            builder.push(tag);
            let bytes = builder.finish();
            let room = memory.take(bytes.len()).unwrap();
            Arc::new(TagFilter::from_bytes(bytes, room).unwrap())
        };
        let mut history = TagHistory::empty(&memory);
        history.complete = BTreeMap::from([(0, segment(70)), (1, segment(71))]);
        assert!(history.open.insert(72));
        assert!((70..=72).all(|tag| history.may_contain(tag)) && !history.may_contain(73));
        assert_eq!(history.last_unknown(), None);
        assert!(history.forget_oldest());
        assert_eq!(history.last_unknown(), Some(0));
        assert!(!history.may_contain(70) && history.may_contain(71));
        assert!(history.forget_oldest() && !history.forget_oldest());
        assert_eq!(history.last_unknown(), Some(1));
        assert!(history.may_contain(72));
    }
}
