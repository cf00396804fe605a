//! The ledger's read models: ledgers, assets, accounts, balances, transactions, entries with running balances, holds,
//! the history of metadata, customers, and the links between customers and accounts.
//!
//! Each table has a module. A batch of events is first [folded](changes) in memory into the changes of each table. One
//! query per table then loads the stored rows that the changes build on, and an event that contradicts them is
//! reported. Finally each table is written with one statement for new rows and one for changed rows. A table without
//! changes costs nothing.
//!
//! Rows are looked up by `cross join lateral (select … where <key> order by <last column of the key>)`, with that
//! column `between x and x`. With an equality Postgres would drop the `order by`; in this form only the index of the
//! key provides the order, so the planner uses it even while tables are small or have never been analysed. Rows to
//! update are found in the same way and then addressed by their `ctid`, which is stable because the batch holds the
//! log's lock.
//!
//! Must not be here: where events come from, progress, duplicates and gaps. The engine handles those and knows no
//! ledger.

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

use recount_core::ErrorChain;
use recount_events::ledger;
use recount_projection::{ApplyError, LogBatch, Projection};
use sqlx::PgConnection;

use changes::Changes;
use rows::{EventStamp, contradiction};

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
                .map_err(|error| contradiction(event.position, ErrorChain(&error).to_string()))?;
            let at = EventStamp { position: event.position, recorded_at: event.recorded_at };
            changes.add(at, decoded)?;
        }
        changes.load_and_check(connection, batch.log).await?;
        changes.write(connection, batch.log).await?;
        Ok(())
    }
}
