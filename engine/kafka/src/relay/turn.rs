//! A turn of a log: reading its next page and publishing it.

use std::sync::Arc;

use recount_core::{LogName, RecordedEvent, Tip};
use recount_store::{LogReader, StoreError};
use tokio::sync::Semaphore;

use super::RelayError;
use crate::publisher::Publisher;

/// Events that are read and published in one turn of a log.
pub(super) const PAGE_EVENTS_MAX: u32 = 1_000;
/// Pages that are read at the same time. Commands need connections too.
const CONCURRENT_READS_MAX: usize = 4;

/// What turns need. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Turns {
    pub reader: LogReader,
    publisher: Arc<Publisher>,
    reads: Arc<Semaphore>,
}

/// The outcome of a turn.
#[derive(Debug)]
pub(super) struct PublishedPage {
    pub log: LogName,
    /// Where the log was known to end when the turn began.
    pub end: Tip,
    pub events: usize,
    /// The last event that is certainly on the topic, if there is a new one.
    pub delivered: Option<Tip>,
    /// Whether the log had no more events.
    pub is_empty: bool,
    pub error: Option<RelayError>,
}

impl Turns {
    pub(super) fn new(reader: LogReader, publisher: Publisher) -> Turns {
        Turns {
            reader,
            publisher: Arc::new(publisher),
            reads: Arc::new(Semaphore::new(CONCURRENT_READS_MAX)),
        }
    }

    /// Publishes the next page of a log that is published up to `from` and ends at `end`: up to `limit` events.
    pub(super) async fn take(self, log: LogName, from: Option<Tip>, end: Tip, limit: u32) -> PublishedPage {
        let mut page = PublishedPage { log, end, events: 0, delivered: None, is_empty: false, error: None };
        let events = match self.read(&page.log, from, limit).await {
            Ok(events) => events,
            Err(error) => {
                page.error = Some(error.into());
                return page;
            }
        };
        let outcome = self.publisher.publish(&page.log, &events).await;
        page.events = outcome.prefix;
        page.delivered = outcome.prefix.checked_sub(1).and_then(|last| events.get(last)).map(Tip::at);
        page.is_empty = events.is_empty();
        page.error = outcome.error.map(RelayError::from);
        page
    }

    async fn read(
        &self,
        name: &LogName,
        from: Option<Tip>,
        limit: u32,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        let log = name.key();
        let _permit = self.reads.acquire().await.expect("nobody closes the semaphore");
        let from = match from {
            Some(from) => from,
            // The log itself says what it starts from.
            None => match self.reader.log(log).await? {
                Some(found) => Tip::origin(found.id, &found.name),
                None => return Ok(Vec::new()),
            },
        };
        self.reader.read_after(log, from, limit).await
    }
}
