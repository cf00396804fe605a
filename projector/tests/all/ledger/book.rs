//! A ledger under test with its read models, and short constructors for its events.

use recount_core::{LogName, Position, RecordedEvent};
use recount_events::ledger::{
    AccountKind, AccountName, AccountOpened, Amount, Asset, Capture, CustomerId, Direction, Entry,
    HoldExpired, HoldId, HoldPlaced, HoldReleased, LedgerCreated, LedgerEvent, LimitAmount, Metadata,
    MetadataOwner, Overdraft, TransactionPosted, encode,
};
use recount_projection::{FeedOutcome, ProjectionEngine};
use recount_projector::ledger::LedgerProjection;
use sqlx::AssertSqlSafe;

use crate::support::{World, log};

pub(super) const TABLES: [&str; 10] = [
    "ledgers",
    "assets",
    "accounts",
    "balances",
    "transactions",
    "entries",
    "holds",
    "metadata_changes",
    "customers",
    "customer_accounts",
];

/// The ledger `main` and its read models.
pub(super) struct Book {
    pub(super) world: World,
    pub(super) log: LogName,
    engine: ProjectionEngine<LedgerProjection>,
}

impl Book {
    pub(super) async fn new() -> Book {
        let world = World::new().await;
        let engine = world.engine(LedgerProjection).await;
        Book { world, log: log("main"), engine }
    }

    pub(super) async fn append(&self, events: &[LedgerEvent]) -> Position {
        append(&self.world, &self.log, events).await
    }

    /// Appends the events and applies them in one batch.
    pub(super) async fn apply(&self, events: impl AsRef<[LedgerEvent]>) {
        let head = self.append(events.as_ref()).await;
        let outcome = self.engine.catch_up(&self.log, head).await.unwrap();
        assert_eq!(outcome, FeedOutcome::At(head), "{:?}", self.engine.status().report());
    }

    /// Appends the events, of which one cannot be applied. Returns its position and the reason.
    pub(super) async fn stopped_by(&self, events: impl AsRef<[LedgerEvent]>) -> (Position, String) {
        let head = self.append(events.as_ref()).await;
        assert_eq!(self.engine.catch_up(&self.log, head).await.unwrap(), FeedOutcome::Stopped);
        let stopped = &self.engine.status().report().stopped[0].1;
        (stopped.at, stopped.reason.clone())
    }

    pub(super) async fn rows(&self, sql: &'static str) -> Vec<String> {
        self.world.text(sql).await
    }

    /// All rows of all tables, as text.
    pub(super) async fn contents(&self) -> Vec<String> {
        let mut contents = Vec::new();
        for table in TABLES {
            let sql = format!("select '{table} ' || t::text from ledger_v2.{table} as t order by 1");
            let rows: Vec<String> =
                sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&self.world.pool).await.unwrap();
            contents.extend(rows);
        }
        contents
    }

    pub(super) async fn recorded_events(&self) -> Vec<RecordedEvent> {
        self.world.store.reader().read(self.log.key(), Position::START, 10_000).await.unwrap()
    }

    /// Empties the read models.
    pub(super) async fn clear(&mut self) {
        let tables = TABLES.map(|table| format!("ledger_v2.{table}")).join(", ");
        let wipe = format!("truncate ledger_v2.progress, {tables}");
        sqlx::raw_sql(AssertSqlSafe(wipe)).execute(&self.world.pool).await.unwrap();
        self.engine = self.world.engine(LedgerProjection).await;
    }

    /// Empties the read models and applies all events again, in batches of these sizes.
    pub(super) async fn rebuild_in_batches(&mut self, mut size: impl FnMut() -> usize) {
        self.clear().await;
        let recorded = self.recorded_events().await;
        let mut rest = recorded.as_slice();
        while !rest.is_empty() {
            let (batch, later) = rest.split_at(rest.len().min(size()));
            self.engine.apply_feed(&self.log, batch).await.unwrap();
            rest = later;
        }
    }

    /// Checks that the read models are the same when every event is a batch of its own.
    pub(super) async fn assert_same_event_by_event(mut self) {
        let contents = self.contents().await;
        self.rebuild_in_batches(|| 1).await;
        assert_eq!(self.contents().await, contents);
    }
}

pub(super) async fn append(world: &World, log: &LogName, events: &[LedgerEvent]) -> Position {
    let encoded = events
        .iter()
        .map(|event| {
            let stored = encode(event);
            (stored.event_type, stored.version, stored.data, event.tags())
        })
        .collect();
    world.append_versions(log, encoded).await
}

pub(super) fn account(name: &str) -> AccountName {
    name.parse().unwrap()
}

pub(super) fn asset(name: &str) -> Asset {
    name.parse().unwrap()
}

pub(super) fn bound(minor_units: i128) -> LimitAmount {
    LimitAmount::new(minor_units).unwrap()
}

pub(super) fn amount(minor_units: i128) -> Amount {
    Amount::new(minor_units).unwrap()
}

pub(super) fn hold_id(id: &str) -> HoldId {
    id.parse().unwrap()
}

pub(super) fn customer(id: &str) -> CustomerId {
    id.parse().unwrap()
}

pub(super) fn metadata(json: &str) -> Metadata {
    serde_json::from_str(json).unwrap()
}

pub(super) fn of_account(name: &str) -> MetadataOwner {
    MetadataOwner::Account(account(name))
}

pub(super) fn of_transaction(id: &str) -> MetadataOwner {
    MetadataOwner::Transaction(id.parse().unwrap())
}

pub(super) fn created() -> LedgerEvent {
    LedgerEvent::LedgerCreated(LedgerCreated { ledger: "main".to_owned() })
}

pub(super) fn account_opened(name: &str, kind: AccountKind) -> AccountOpened {
    AccountOpened {
        account: account(name),
        kind,
        overdraft: Overdraft::None,
        limits: Vec::new(),
        assets: Vec::new(),
        metadata: Metadata::new(),
        on_first_use: false,
    }
}

pub(super) fn opened(name: &str, kind: AccountKind) -> LedgerEvent {
    LedgerEvent::AccountOpened(account_opened(name, kind))
}

pub(super) fn entry(direction: Direction, name: &str, in_asset: &str, minor_units: i128) -> Entry {
    Entry { account: account(name), direction, asset: asset(in_asset), amount: amount(minor_units) }
}

pub(super) fn transfer(debit: &str, credit: &str, in_asset: &str, minor_units: i128) -> Vec<Entry> {
    vec![
        entry(Direction::Debit, debit, in_asset, minor_units),
        entry(Direction::Credit, credit, in_asset, minor_units),
    ]
}

pub(super) fn transaction(id: &str, entries: Vec<Entry>) -> TransactionPosted {
    TransactionPosted {
        transaction: id.parse().unwrap(),
        entries,
        effective_at: "2026-01-31T00:00:00Z".parse().unwrap(),
        reference: None,
        metadata: Metadata::new(),
        reverses: None,
        captures: None,
    }
}

pub(super) fn posted(id: &str, entries: Vec<Entry>) -> LedgerEvent {
    LedgerEvent::TransactionPosted(transaction(id, entries))
}

pub(super) fn reversal(id: &str, of: &str, entries: Vec<Entry>) -> LedgerEvent {
    let reverses = Some(of.parse().unwrap());
    LedgerEvent::TransactionPosted(TransactionPosted { reverses, ..transaction(id, entries) })
}

/// A hold of `USD/2` that debits one account and credits the other.
pub(super) struct TestHold {
    pub(super) id: &'static str,
    pub(super) debit: &'static str,
    pub(super) credit: &'static str,
}

impl TestHold {
    pub(super) fn placed(&self, minor_units: i128) -> LedgerEvent {
        LedgerEvent::HoldPlaced(HoldPlaced {
            hold: hold_id(self.id),
            debit: account(self.debit),
            credit: account(self.credit),
            asset: asset("USD/2"),
            amount: amount(minor_units),
            expires_at: None,
            metadata: Metadata::new(),
        })
    }

    /// A transaction captures an amount, and the rest remains held.
    pub(super) fn captured(&self, id: &str, minor_units: i128, remaining: i128) -> LedgerEvent {
        self.capture(id, minor_units, Amount::new(remaining).ok(), None)
    }

    /// A transaction captures an amount and releases the rest.
    pub(super) fn captured_and_released(&self, id: &str, minor_units: i128, released: i128) -> LedgerEvent {
        self.capture(id, minor_units, None, Some(amount(released)))
    }

    fn capture(
        &self,
        id: &str,
        minor_units: i128,
        remaining: Option<Amount>,
        released: Option<Amount>,
    ) -> LedgerEvent {
        let captures = Some(Capture { hold: hold_id(self.id), remaining, released });
        let entries = transfer(self.debit, self.credit, "USD/2", minor_units);
        LedgerEvent::TransactionPosted(TransactionPosted { captures, ..transaction(id, entries) })
    }

    pub(super) fn released(&self, minor_units: i128) -> LedgerEvent {
        LedgerEvent::HoldReleased(HoldReleased {
            hold: hold_id(self.id),
            debit: account(self.debit),
            credit: account(self.credit),
            asset: asset("USD/2"),
            amount: amount(minor_units),
        })
    }

    pub(super) fn expired(&self, minor_units: i128) -> LedgerEvent {
        LedgerEvent::HoldExpired(HoldExpired {
            hold: hold_id(self.id),
            debit: account(self.debit),
            credit: account(self.credit),
            asset: asset("USD/2"),
            amount: amount(minor_units),
        })
    }
}

/// A deterministic pseudo-random sequence.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}
