//! What every event knows about itself.

use crate::ledger::names::CustomerId;
use recount_core::Tag;

/// The data of one event type.
pub(in crate::ledger) trait EventData {
    /// The entities that the event concerns, each once.
    fn tags(&self) -> Vec<Tag>;

    /// The person whom the event's [personal](crate::ledger::Personal) fields are about. `None` if it has no such
    /// fields.
    fn data_subject(&self) -> Option<&CustomerId> {
        None
    }
}
