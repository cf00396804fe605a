//! The state that the handlers share.

use super::catalogue;
use super::domain::LedgerDomain;
use recount_service_kit::commands::CommandEndpoint;
use recount_writer::CommandEngine;

/// The state of the handlers.
#[derive(Clone, Debug)]
pub struct LedgerState {
    pub engine: CommandEngine<LedgerDomain>,
}

impl LedgerState {
    pub(super) fn endpoint(&self) -> CommandEndpoint<'_, LedgerDomain> {
        CommandEndpoint { engine: &self.engine, catalogue: catalogue::problems() }
    }
}
