//! An event store for one test, and engines on it.

use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};
use recount_core::{Environment, LogKey, LogName, Position, RecordedEvent};
use recount_store::{Append, LogWriter, migrations};
use recount_test_support::TestDatabase;
use recount_writer::deadlines::{self, Pace};
use recount_writer::{
    CommandEngine, Domain, IdempotencyKey, Outcome, Submission, SubmissionOutcome, SubmitError, Tuning,
};
use sqlx::{AssertSqlSafe, PgPool};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// A database with an event store and a log in it.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) database: TestDatabase,
    pub(crate) store: LogWriter,
    pub(crate) log: LogName,
}

impl World {
    pub(crate) async fn create() -> World {
        let database = TestDatabase::create().await;
        migrations::run(database.pool()).await.expect("the schema is new");
        let store = LogWriter::new(database.pool().clone());
        let log: LogName = "main".parse().expect("it is a name");
        store.create_log(&log).await.expect("the log is new");
        World { database, store, log }
    }

    pub(crate) fn pool(&self) -> &PgPool {
        self.database.pool()
    }

    /// A separate engine, like that of another process.
    pub(crate) fn engine<D: Domain>(&self, tuning: Tuning) -> CommandEngine<D> {
        self.engine_at(environment(), tuning)
    }

    /// An engine with a clock of its own.
    pub(crate) fn engine_at<D: Domain>(&self, environment: Environment, tuning: Tuning) -> CommandEngine<D> {
        CommandEngine::start(self.store.clone(), environment, tuning)
    }

    /// An empty batch for the log as it is.
    pub(crate) async fn batch(&self, log: LogKey) -> Append {
        let reader = self.store.reader();
        let log = reader.log(log).await.expect("the log can be read").expect("it exists");
        let frontier = reader.frontier(log.key, log.tip).await.expect("the hashes can be read");
        Append::new(log.key, log.tip.hash, frontier, log.fence, log.recorded_at)
    }

    /// Takes the last events of the log away, as if the database had lost them.
    pub(crate) async fn lose_events_after(&self, position: i64) {
        let log = self.log.key().0;
        sqlx::raw_sql(AssertSqlSafe(format!(
            "alter table store.events disable trigger user; alter table store.event_tags disable trigger user;
             delete from store.events where log = {log} and position > {position};
             delete from store.event_tags where log = {log} and store.position(segment, slot) > {position};
             delete from store.outcomes where log = {log} and position > {position};
             delete from store.frontiers where log = {log} and position > {position};
             alter table store.events enable trigger user; alter table store.event_tags enable trigger user"
        )))
        .execute(self.pool())
        .await
        .expect("the owner may");
    }

    /// All events of the log. Reading them checks that the positions have no gaps.
    pub(crate) async fn events(&self) -> Vec<RecordedEvent> {
        let mut events: Vec<RecordedEvent> = Vec::new();
        loop {
            let after = events.last().map_or(Position::START, |event| event.position);
            let page =
                self.store.reader().read(self.log.key(), after, 1_000).await.expect("the log can be read");
            if page.is_empty() {
                return events;
            }
            events.extend(page);
        }
    }
}

/// The defaults, but with a command timeout for a slow machine.
pub(crate) fn tuning() -> Tuning {
    Tuning { command_timeout: Duration::from_secs(120), ..Tuning::default() }
}

/// Commands of one caller.
pub(crate) fn submission<C>(commands: Vec<C>) -> Submission<C> {
    Submission { commands, atomic: false, dry_run: false, key: None, meta: "{}".into(), bytes: 1 }
}

/// A dry run of these commands.
pub(crate) fn dry_run<C>(commands: Vec<C>) -> Submission<C> {
    Submission { dry_run: true, ..submission(commands) }
}

/// A deadline worker, like that of a process.
#[derive(Debug)]
pub(crate) struct DeadlineWorker {
    task: JoinHandle<()>,
    stopping: CancellationToken,
}

impl DeadlineWorker {
    pub(crate) fn start<D: Domain>(engine: &CommandEngine<D>, pace: Pace) -> DeadlineWorker {
        let stopping = CancellationToken::new();
        let task = tokio::spawn(deadlines::run(engine.clone(), pace, stopping.clone()));
        DeadlineWorker { task, stopping }
    }

    pub(crate) async fn stop(self) {
        self.stopping.cancel();
        self.task.await.expect("the worker does not panic");
    }
}

/// One command under an idempotency key.
pub(crate) fn keyed<C: std::fmt::Debug>(command: C, key: &str) -> Submission<C> {
    let request = format!("{command:?}");
    let key = IdempotencyKey::new(key, &[request.as_bytes()]);
    Submission { key: Some(key), ..submission(vec![command]) }
}

/// The code of a rejection, the number of events, or the error.
pub(crate) fn summary(outcome: &Result<SubmissionOutcome, SubmitError>) -> String {
    match outcome {
        Ok(outcome) => match outcome.outcomes.first() {
            Some(Outcome::Accepted(accepted)) => format!("{} events", accepted.events.len()),
            Some(Outcome::Rejected(refusal)) => refusal.code.clone(),
            None => "nothing".to_owned(),
        },
        Err(error) => format!("{error:?}"),
    }
}

/// The real time and new ids.
pub(crate) fn environment() -> Environment {
    Environment::new(now, new_id)
}

/// The time, in microseconds as Postgres keeps it.
#[expect(clippy::disallowed_methods, reason = "the clock of these tests")]
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

#[expect(clippy::disallowed_methods, reason = "the ids of these tests")]
pub(crate) fn new_id() -> Uuid {
    Uuid::now_v7()
}
