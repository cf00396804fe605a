//! The ledger's read models: ledgers, assets, accounts, balances, transactions, entries with running balances, holds,
//! the history of metadata, customers and whose accounts are whose.
//!
//! There is a module for each table. A batch of events is [folded](changes) into what it changes in each of them, in
//! memory; what has to be known of the rows that are there is loaded with one query per table, by which an event that
//! contradicts them is found; and each table is written with one statement for new rows and one for changed ones. A
//! table that the batch does not concern costs nothing.
//!
//! Rows are looked up by `cross join lateral (select … where <the key> order by <its last column>)`, with that column
//! `between x and x`. By an equality the order would be void; by this form no index but the key's will do, also while the
//! tables are short and the planner knows nothing of them. What is changed is found so too, and then named by its `ctid`,
//! which stays as it is while the batch has the log.
//!
//! What must not be here: anything about where events come from, progress, duplicates or gaps. The engine sees to
//! that, and knows nothing of ledgers.

mod accounts;
mod assets;
mod balances;
mod changes;
mod customers;
mod entries;
mod holds;
mod ledgers;
mod links;
mod metadata;
mod rows;
mod transactions;

use recount_core::Position;
use recount_events::ledger::{self, DecodeError};
use sqlx::PgConnection;

use changes::Changes;
use recount_projection::{ApplyError, LogBatch, Projection};
use rows::At;

/// The projection of the ledger domain. Its build is the schema `ledger_v2`.
#[derive(Clone, Copy, Debug, Default)]
pub struct LedgerProjection;

impl Projection for LedgerProjection {
    fn name(&self) -> &'static str {
        "ledger"
    }

    fn version(&self) -> u16 {
        2
    }

    fn tables_sql(&self) -> &'static str {
        include_str!("tables.sql")
    }

    fn views(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("ledgers", include_str!("views/ledgers.sql")),
            ("assets", "select * from assets"),
            ("accounts", include_str!("views/accounts.sql")),
            ("balances", include_str!("views/balances.sql")),
            ("transactions", include_str!("views/transactions.sql")),
            ("entries", "select * from entries"),
            ("holds", include_str!("views/holds.sql")),
            ("metadata_history", include_str!("views/metadata_history.sql")),
            ("customers", include_str!("views/customers.sql")),
            ("customer_accounts", "select * from customer_accounts"),
        ]
    }

    async fn apply(&self, connection: &mut PgConnection, batch: LogBatch<'_>) -> Result<(), ApplyError> {
        let mut changes = Changes::default();
        for event in batch.events {
            let decoded = ledger::decode(&event.event_type, event.version, &event.data)
                .map_err(|error| contradiction(event.position, sentence(&error)))?;
            let at = At { position: event.position, recorded_at: event.recorded_at };
            changes.add(at, decoded)?;
        }
        changes.settle(connection, batch.log).await?;
        changes.write(connection, batch.log).await?;
        Ok(())
    }
}

/// The event at this position cannot be applied, because of what came before it.
fn contradiction(position: Position, reason: impl Into<String>) -> ApplyError {
    ApplyError::Poisoned { position, reason: reason.into() }
}

/// The error with its source, for an operator.
fn sentence(error: &DecodeError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
