//! A batch reads the rows that it changes and no more, however long the tables are, also while nobody has analysed them
//! and by plans that were made while they were short. So it is in every rebuild.

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

/// Enough for Postgres to keep the plans that it has made.
const EARLY_BATCHES: usize = 8;
/// Each is an account, a customer, a link, a hold and a transaction.
const THINGS: usize = 3_000;
const CHANGED: usize = 100;
/// For each event, over all tables. It takes some look-ups to check it and to write it.
const ROWS_READ_MAX: usize = 8;

/// The ledger's projection, with a note of the rows that each batch reads.
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

/// Rows of the build that this connection has read and not yet reported: those of its transaction are among them.
async fn rows_read(connection: &mut PgConnection) -> i64 {
    sqlx::query_scalar(
        "select coalesce(sum(coalesce(idx_tup_fetch, 0) + coalesce(seq_tup_read, 0)), 0)::bigint
         from pg_stat_xact_all_tables where schemaname = 'ledger_v2'",
    )
    .fetch_one(connection)
    .await
    .unwrap()
}

/// What comes to be, of each kind one.
fn begun(n: usize) -> Vec<LedgerEvent> {
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

/// What happens to all of that later.
fn changed(n: usize) -> Vec<LedgerEvent> {
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
async fn a_batch_reads_what_it_changes_however_much_there_is_and_whatever_the_planner_knows() {
    let mut world = World::new().await;
    // One connection, which keeps the plans.
    world.engines =
        sqlx::postgres::PgPoolOptions::new().max_connections(1).connect(&world.url).await.unwrap();
    let rows_read = Arc::<Mutex<Vec<i64>>>::default();
    let engine = world.engine(Counting { rows_read: rows_read.clone() }).await;
    for table in TABLES {
        let never = format!("alter table ledger_v2.{table} set (autovacuum_enabled = off)");
        sqlx::raw_sql(AssertSqlSafe(never)).execute(&world.pool).await.unwrap();
    }
    let happen = async |events: Vec<LedgerEvent>| {
        happen(&world, &engine, &events).await;
        let read = std::mem::take(&mut *rows_read.lock().unwrap()).into_iter().sum::<i64>();
        (events.len(), usize::try_from(read).unwrap())
    };

    happen(vec![opened("hub", AccountKind::Asset), opened("till", AccountKind::Asset)]).await;
    happen((0..EARLY_BATCHES).flat_map(begun).collect()).await;
    for n in 0..EARLY_BATCHES {
        happen(changed(n)).await;
    }
    let (events, read) = happen((EARLY_BATCHES..THINGS).flat_map(begun).collect()).await;
    assert!(read <= events * ROWS_READ_MAX, "{read} rows were read to begin with {events} events");
    let (events, read) = happen((EARLY_BATCHES..EARLY_BATCHES + CHANGED).flat_map(changed).collect()).await;
    assert!(read <= events * ROWS_READ_MAX, "{read} rows were read for {events} events of change");
}

async fn happen(world: &World, engine: &ProjectionEngine<Counting>, events: &[LedgerEvent]) {
    let main = log("main");
    let head = append(world, &main, events).await;
    let outcome = engine.catch_up(&main, head).await.unwrap();
    assert_eq!(outcome, FeedOutcome::At(head), "{:?}", engine.status().report());
}
