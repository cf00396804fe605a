//! A database for each test, a log to append to, and a tiny projection without any ledger.
#![allow(dead_code, reason = "each test file is a crate of its own and uses some of it")]

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use recount_core::{LogName, NewEvent, Position, Tag};
use recount_projection::{ApplyError, LogBatch, Projection, ProjectionEngine};
use recount_service_kit::{clock, ids};
use recount_store::{Append, Appended, LogReader, LogWriter};
use recount_test_support::eventually;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection, PgPool};

/// The timeout of every wait. Long enough for a slow, busy machine; a wait ends as soon as its condition holds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

pub(crate) fn log(name: &str) -> LogName {
    name.parse().unwrap()
}

/// Waits until the condition holds. Fails the test after [`PATIENCE`].
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    eventually(PATIENCE, what, condition).await;
}

/// A database of its own, with an event store and room for read models.
pub(crate) struct World {
    /// The connections of the test itself.
    pub(crate) pool: PgPool,
    pub(crate) store: LogWriter,
    /// The URL of the database.
    pub(crate) url: String,
    /// The connections of the engines, with the application name `projector`.
    pub(crate) engines: PgPool,
}

impl World {
    pub(crate) async fn new() -> World {
        let url = recount_test_support::database_url();
        let options: PgConnectOptions = url.parse().unwrap();
        let name = format!("projector_{}", ids::new_id().simple());
        let admin = PgPoolOptions::new().max_connections(1).connect_with(options.clone()).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(format!("create database {name}"))).execute(&admin).await.unwrap();
        admin.close().await;
        let options = options.database(&name);
        let url = options.to_url_lossy().to_string();
        let pool = PgPoolOptions::new().max_connections(4).connect_with(options.clone()).await.unwrap();
        let engines = PgPoolOptions::new()
            .max_connections(12)
            .connect_with(options.application_name("projector"))
            .await
            .unwrap();
        recount_store::migrations::run(&pool).await.unwrap();
        World { url, store: LogWriter::new(pool.clone()), pool, engines }
    }

    async fn drop_database(url: &str) -> Result<(), sqlx::Error> {
        let options: PgConnectOptions = url.parse()?;
        let name = options.get_database().expect("the URL was made with a database name").to_owned();
        let mut admin = options.database("postgres").connect().await?;
        sqlx::raw_sql(AssertSqlSafe(format!("drop database {name} with (force)")))
            .execute(&mut admin)
            .await?;
        Ok(())
    }

    pub(crate) async fn engine<P: Projection>(&self, projection: P) -> ProjectionEngine<P> {
        recount_projection::migrate(&self.pool, &projection).await.unwrap();
        ProjectionEngine::new(projection, LogReader::new(self.engines.clone()), self.engines.clone())
    }

    /// Appends events as type, data and tags in one batch, all of version 1.
    pub(crate) async fn append(
        &self,
        log: &LogName,
        events: Vec<(&'static str, String, Vec<Tag>)>,
    ) -> Position {
        let version = 1;
        let events = events.into_iter().map(|(event_type, data, tags)| (event_type, version, data, tags));
        self.append_versions(log, events.collect()).await
    }

    /// Appends events as type, version, data and tags in one batch.
    pub(crate) async fn append_versions(
        &self,
        log: &LogName,
        events: Vec<(&'static str, i16, String, Vec<Tag>)>,
    ) -> Position {
        self.store.create_log(log).await.unwrap();
        let found = self.store.reader().log(log.key()).await.unwrap().unwrap();
        let frontier = self.store.reader().frontier(found.key, found.tip).await.unwrap();
        let mut batch = Append::new(found.key, found.tip.hash, frontier, found.fence, clock::now());
        for (event_type, version, data, tags) in events {
            let (id, meta) = (ids::new_id(), "{}".into());
            batch.push_event(NewEvent { id, event_type, version, tags, data, meta });
        }
        let end = batch.next_tip().position;
        assert_eq!(self.store.append(&batch, PATIENCE).await.unwrap(), Appended::Done);
        end
    }

    /// Appends this many events that [`Tally`] counts.
    pub(crate) async fn count(&self, log: &LogName, events: usize) -> Position {
        self.append(log, vec![("counted", "{}".to_owned(), Vec::new()); events]).await
    }

    pub(crate) async fn progress(&self, schema: &str, log: &LogName) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(format!(
            "select coalesce((select position from {schema}.progress where log = $1), 0)"
        )))
        .bind(log.key().0)
        .fetch_one(&self.pool)
        .await
        .unwrap()
    }

    pub(crate) async fn tallied(&self, log: &LogName) -> i64 {
        sqlx::query_scalar("select coalesce((select events from tally_v1.tallies where log = $1), 0)")
            .bind(log.key().0)
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    pub(crate) async fn text(&self, sql: &'static str) -> Vec<String> {
        sqlx::query_scalar(sql).fetch_all(&self.pool).await.unwrap()
    }
}

/// The server may belong to a developer, so every test cleans up after itself, even if it fails.
impl Drop for World {
    fn drop(&mut self) {
        let url = self.url.clone();
        // On a runtime of its own, because the runtime of the test may be shutting down.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(World::drop_database(&url))
        });
        if let Ok(Err(error)) = dropped.join() {
            eprintln!("the database of the test could not be dropped: {error}");
        }
    }
}

/// Counts the events of each log and records each position: an event that is applied twice violates the primary key.
#[derive(Clone)]
pub(crate) struct Tally {
    pub(crate) version: u16,
    /// Whether it can apply poisoned events.
    pub(crate) repaired: Arc<AtomicBool>,
}

impl Default for Tally {
    fn default() -> Tally {
        Tally { version: 1, repaired: Arc::default() }
    }
}

impl Tally {
    /// The second version, whose view has one more column.
    pub(crate) fn second() -> Tally {
        Tally { version: 2, ..Tally::default() }
    }
}

impl Projection for Tally {
    fn name(&self) -> &'static str {
        "tally"
    }

    fn version(&self) -> u16 {
        self.version
    }

    fn tables_sql(&self) -> &'static str {
        "create table tallies (log bigint primary key, events bigint not null);
         create table seen (log bigint, position bigint, what text check (what <> 'refused'), primary key (log, position));"
    }

    fn views(&self) -> &'static [(&'static str, &'static str)] {
        match self.version {
            1 => &[("tallies", "select * from tallies")],
            _ => &[("tallies", "select log, events * 10 as tenfold, events from tallies")],
        }
    }

    async fn apply(&self, connection: &mut PgConnection, batch: LogBatch<'_>) -> Result<(), ApplyError> {
        let repaired = self.repaired.load(Ordering::Relaxed);
        if let Some(poisoned) = batch.events.iter().find(|event| event.event_type == "poisoned" && !repaired)
        {
            return Err(ApplyError::Poisoned {
                position: poisoned.position,
                reason: "it cannot be read".to_owned(),
            });
        }
        let positions: Vec<i64> = batch.events.iter().map(|event| event.position.0).collect();
        let whats: Vec<&str> = batch
            .events
            .iter()
            .map(|event| if repaired { "repaired" } else { event.event_type.as_str() })
            .collect();
        sqlx::query("insert into seen select $1, * from unnest($2::bigint[], $3::text[])")
            .bind(batch.log.0)
            .bind(&positions)
            .bind(whats)
            .execute(&mut *connection)
            .await?;
        sqlx::query(
            "insert into tallies as t values ($1, $2) on conflict (log) do update set events = t.events + $2",
        )
        .bind(batch.log.0)
        .bind(i64::try_from(positions.len()).unwrap())
        .execute(connection)
        .await?;
        Ok(())
    }
}
