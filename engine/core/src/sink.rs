//! Where a feed of events ends.

use std::future::Future;

use crate::{LogName, RecordedEvent};

/// Takes in the events that a feed brings, whatever the feed is.
///
/// A feed delivers at least once: a call may repeat events, leave a gap, or bring events that the log in the store does
/// not have, such as those of a history that was lost or of another log of the same name. Each event is
/// [authentic](RecordedEvent::is_authentic) by itself. The sink tells by position and hash which of them are of its log;
/// the store is the truth.
pub trait EventSink: Clone + Send + Sync + 'static {
    /// Why events could not be taken in. The feed brings the same events again.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Takes in events of one log, ordered by position. Several may have the same position, each with another hash.
    ///
    /// An `Ok` means that the feed may go on: the events are taken in, or the sink gets them by itself later.
    fn feed(
        &self,
        log: &LogName,
        events: &[RecordedEvent],
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Counts records that the feed could not read.
    fn count_unreadable(&self, _records: usize) {}
}
