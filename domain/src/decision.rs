//! The result of deciding a command.

use recount_events::ledger::LedgerEvent;

use crate::rejection::Rejection;

/// The events that a command causes, or the reason for rejecting it. No events means that the command's effect already
/// holds.
pub type Decision = Result<Vec<LedgerEvent>, Rejection>;
