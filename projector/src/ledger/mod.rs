//! The ledger's read models: ledgers, assets, accounts, balances, transactions, entries with running balances.
//!
//! A batch of events is [folded](changes) into changes in memory, the balances that it touches are loaded with one
//! query and [run forward](balances), and each table is [written](write) with one statement.
//!
//! What must not be here: anything about where events come from, progress, duplicates or gaps. The engine sees to
//! that, and knows nothing of ledgers.

mod balances;
mod changes;
mod write;

use recount_events::ledger::{self, DecodeError};
use sqlx::PgConnection;

use crate::engine::{ApplyError, LogBatch, Projection};
use changes::Changes;

/// The projection of the ledger domain. Its build is the schema `ledger_v1`.
#[derive(Clone, Copy, Debug, Default)]
pub struct LedgerProjection;

impl Projection for LedgerProjection {
    fn name(&self) -> &'static str {
        "ledger"
    }

    fn version(&self) -> u16 {
        1
    }

    fn tables_sql(&self) -> &'static str {
        include_str!("tables.sql")
    }

    fn views(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("ledgers", "select * from ledgers"),
            ("assets", "select * from assets"),
            ("accounts", include_str!("accounts_view.sql")),
            ("balances", "select log, account, asset, debits, credits, position from balances"),
            ("transactions", "select * from transactions"),
            ("entries", "select * from entries"),
        ]
    }

    async fn apply(&self, connection: &mut PgConnection, batch: LogBatch<'_>) -> Result<(), ApplyError> {
        let mut changes = Changes::default();
        for event in batch.events {
            let poisoned = |reason| ApplyError::Poisoned { position: event.position, reason };
            let decoded = ledger::decode(&event.event_type, event.version, &event.data)
                .map_err(|error| poisoned(sentence(&error)))?;
            changes.add(event.position, event.recorded_at, decoded).map_err(poisoned)?;
        }
        balances::run(connection, batch.log, &mut changes).await?;
        write::all(connection, batch.log, &changes).await?;
        Ok(())
    }
}

/// The error with its source, for an operator.
fn sentence(error: &DecodeError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
