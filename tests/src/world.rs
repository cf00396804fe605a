//! An event store of one's own, and engines on it.

use std::time::Duration;

use recount_command_service::deadlines::{self, Pace};
use recount_command_service::engine::{
    Domain, Engine, IdempotencyKey, Outcome, Submission, SubmissionOutcome, SubmitError, Tuning,
};
use recount_event_store::{EventStore, Notifier, migrations};
use recount_events::{LogName, Position, RecordedEvent};
use recount_test_support::TestDatabase;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A database with an event store and a log in it.
#[derive(Debug)]
pub struct World {
    pub database: TestDatabase,
    pub store: EventStore,
    pub log: LogName,
}

impl World {
    pub async fn create() -> World {
        let database = TestDatabase::create().await;
        migrations::run(database.pool()).await.expect("the schema is new");
        let store = EventStore::new(database.pool().clone());
        let log: LogName = "main".parse().expect("it is a name");
        store.create_log(&log).await.expect("the log is new");
        World { database, store, log }
    }

    /// An engine of its own, as another process would have it.
    pub fn engine<D: Domain>(&self, tuning: Tuning) -> Engine<D> {
        Engine::new(self.store.clone(), Notifier::start(self.store.pool().clone()), tuning)
    }

    /// The whole log. Reading it checks that its positions have no gap.
    pub async fn events(&self) -> Vec<RecordedEvent> {
        let mut events: Vec<RecordedEvent> = Vec::new();
        loop {
            let after = events.last().map_or(Position::START, |event| event.position);
            let page = self.store.read(self.log.key(), after, 1_000).await.expect("the log can be read");
            if page.is_empty() {
                return events;
            }
            events.extend(page);
        }
    }
}

/// As a service has it, but for callers with the patience that it takes on a slow machine.
pub fn tuning() -> Tuning {
    Tuning { patience: Duration::from_secs(120), ..Tuning::default() }
}

/// Commands of one caller.
pub fn submission<C>(commands: Vec<C>) -> Submission<C> {
    Submission { commands, atomic: false, dry_run: false, key: None, meta: "{}".into(), bytes: 1 }
}

/// What would become of these commands.
pub fn dry_run<C>(commands: Vec<C>) -> Submission<C> {
    Submission { dry_run: true, ..submission(commands) }
}

/// Something that works off deadlines, as a process does.
#[derive(Debug)]
pub struct DeadlineWorker {
    task: JoinHandle<()>,
    stopping: CancellationToken,
}

impl DeadlineWorker {
    pub fn start<D: Domain>(engine: &Engine<D>, pace: Pace) -> DeadlineWorker {
        let stopping = CancellationToken::new();
        let task = tokio::spawn(deadlines::run(engine.clone(), pace, stopping.clone()));
        DeadlineWorker { task, stopping }
    }

    pub async fn stop(self) {
        self.stopping.cancel();
        self.task.await.expect("the worker does not panic");
    }
}

/// One command under an idempotency key.
pub fn keyed<C: std::fmt::Debug>(command: C, key: &str) -> Submission<C> {
    let request = format!("{command:?}");
    let key = IdempotencyKey::new(key, &[request.as_bytes()]);
    Submission { key: Some(key), ..submission(vec![command]) }
}

/// The code of a rejection, or the number of events.
pub fn told(outcome: &Result<SubmissionOutcome, SubmitError>) -> String {
    match outcome {
        Ok(outcome) => match outcome.outcomes.first() {
            Some(Outcome::Accepted(accepted)) => format!("{} events", accepted.events.len()),
            Some(Outcome::Rejected(refusal)) => refusal.code.clone(),
            None => "nothing".to_owned(),
        },
        Err(error) => format!("{error:?}"),
    }
}
