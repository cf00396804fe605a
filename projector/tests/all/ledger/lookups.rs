//! A batch reads only the rows that it changes, even from large tables that were never analysed and with plans that were
//! made while the tables were small. Both are the case in every rebuild.

use std::sync::{Arc, Mutex};

use recount_events::ledger::{
    AccountFrozen, AccountKind, FreezeScope, HoldPlaced, HoldReleased, LedgerEvent, Metadata, MetadataSet,
};
use recount_projection::{ApplyError, FeedOutcome, LogBatch, Projection, ProjectionEngine};
use recount_projector::ledger::LedgerProjection;
use sqlx::{AssertSqlSafe, PgConnection};

use super::book::{
    TABLES, account, amount, append, asset, hold_id, metadata, of_account, of_transaction, opened, posted,
    reversal, transfer,
};
use super::customers::{forgotten, linked, registered, unlinked, updated};
use crate::support::{World, log};

/// Enough for Postgres to keep generic plans.
const EARLY_BATCHES: usize = 8;
/// A group is an account, a customer, a link, a hold and a transaction.
const GROUPS: usize = 3_000;
const CHANGED_GROUPS: usize = 100;
/// The rows that one event may read in all tables, to be checked and written.
const ROWS_READ_MAX: usize = 8;

/// The ledger's projection, which also records the number of rows that each batch reads.
struct Counting {
    rows_read: Arc<Mutex<Vec<i64>>>,
}

impl Projection for Counting {
    fn name(&self) -> &'static str {
        LedgerProjection.name()
    }

    fn version(&self) -> u16 {
        LedgerProjection.version()
    }

    fn tables_sql(&self) -> &'static str {
        LedgerProjection.tables_sql()
    }

    fn views(&self) -> &'static [(&'static str, &'static str)] {
        LedgerProjection.views()
    }

    async fn apply(&self, connection: &mut PgConnection, batch: LogBatch<'_>) -> Result<(), ApplyError> {
        let before = rows_read(connection).await;
        LedgerProjection.apply(connection, batch).await?;
        let after = rows_read(connection).await;
        self.rows_read.lock().unwrap().push(after - before);
        Ok(())
    }
}

/// The rows of the build that this connection has read and not yet reported, including those of its open transaction.
async fn rows_read(connection: &mut PgConnection) -> i64 {
    sqlx::query_scalar(
        "select coalesce(sum(coalesce(idx_tup_fetch, 0) + coalesce(seq_tup_read, 0)), 0)::bigint
         from pg_stat_xact_all_tables where schemaname = 'ledger_v2'",
    )
    .fetch_one(connection)
    .await
    .unwrap()
}

/// The events that create group `n`.
fn created_group(n: usize) -> Vec<LedgerEvent> {
    let (name, customer) = (format!("a:{n}"), format!("c-{n}"));
    vec![
        opened(&name, AccountKind::Asset),
        registered(&customer, "{}"),
        linked(&customer, &name),
        posted(&format!("t{n}"), transfer(&name, "hub", "USD/2", 1)),
        LedgerEvent::HoldPlaced(HoldPlaced {
            hold: hold_id(&format!("h{n}")),
            debit: account("hub"),
            credit: account("till"),
            asset: asset("USD/2"),
            amount: amount(1),
            expires_at: None,
            metadata: Metadata::new(),
        }),
    ]
}

/// The events that change group `n`.
fn changed_group(n: usize) -> Vec<LedgerEvent> {
    let (name, customer, posted) = (format!("a:{n}"), format!("c-{n}"), format!("t{n}"));
    let set = |of| LedgerEvent::MetadataSet(MetadataSet { of, metadata: metadata(r#"{"x":1}"#) });
    vec![
        LedgerEvent::AccountFrozen(AccountFrozen { account: account(&name), scope: FreezeScope::Both }),
        set(of_account(&name)),
        set(of_transaction(&posted)),
        reversal(&format!("r{n}"), &posted, transfer("hub", &name, "USD/2", 1)),
        LedgerEvent::HoldReleased(HoldReleased {
            hold: hold_id(&format!("h{n}")),
            debit: account("hub"),
            credit: account("till"),
            asset: asset("USD/2"),
            amount: amount(1),
        }),
        updated(&customer, "Eve"),
        unlinked(&customer, &name),
        forgotten(&customer),
    ]
}

#[tokio::test]
async fn a_batch_reads_only_the_rows_it_changes_for_any_table_size_and_statistics() {
    let mut world = World::new().await;
    // A single connection, so that cached plans are reused.
    world.engines =
        sqlx::postgres::PgPoolOptions::new().max_connections(1).connect(&world.url).await.unwrap();
    let rows_read = Arc::<Mutex<Vec<i64>>>::default();
    let engine = world.engine(Counting { rows_read: rows_read.clone() }).await;
    for table in TABLES {
        let no_autovacuum = format!("alter table ledger_v2.{table} set (autovacuum_enabled = off)");
        sqlx::raw_sql(AssertSqlSafe(no_autovacuum)).execute(&world.pool).await.unwrap();
    }
    let apply_counting = async |events: Vec<LedgerEvent>| {
        apply(&world, &engine, &events).await;
        let read = std::mem::take(&mut *rows_read.lock().unwrap()).into_iter().sum::<i64>();
        (events.len(), usize::try_from(read).unwrap())
    };

    apply_counting(vec![opened("hub", AccountKind::Asset), opened("till", AccountKind::Asset)]).await;
    apply_counting((0..EARLY_BATCHES).flat_map(created_group).collect()).await;
    for n in 0..EARLY_BATCHES {
        apply_counting(changed_group(n)).await;
    }
    let (events, read) = apply_counting((EARLY_BATCHES..GROUPS).flat_map(created_group).collect()).await;
    assert!(read <= events * ROWS_READ_MAX, "{read} rows were read for {events} creating events");
    let (events, read) =
        apply_counting((EARLY_BATCHES..EARLY_BATCHES + CHANGED_GROUPS).flat_map(changed_group).collect())
            .await;
    assert!(read <= events * ROWS_READ_MAX, "{read} rows were read for {events} changing events");
}

async fn apply(world: &World, engine: &ProjectionEngine<Counting>, events: &[LedgerEvent]) {
    let main = log("main");
    let head = append(world, &main, events).await;
    let outcome = engine.catch_up(&main, head).await.unwrap();
    assert_eq!(outcome, FeedOutcome::At(head), "{:?}", engine.status().report());
}
