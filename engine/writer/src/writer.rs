//! The writer: a loop that decides and appends, one per log and process.
//!
//! It takes the waiting submissions, decides them in memory one after another, and commits all of them with one
//! statement. Only then does it answer the callers. Each step of a batch has a file:
//!
//! 1. `recall.rs`: answer the submissions whose idempotency key has an outcome already
//! 2. `load.rs`: bring the entities that the commands read into memory
//! 3. `decide.rs`: ask the domain, and fold its events into drafts
//! 4. `commit.rs`: append, then answer
//! 5. `recover.rs`, if needed: another process wrote first, or the connection was lost
//!
//! `open.rs` comes before the first batch.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use recount_core::{Environment, Frontier, LogKey, LogName, Tip};
use recount_store::{CommitNotifier, LogWriter, StoreError};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use uuid::Uuid;

use crate::batch::Batch;
use crate::domain::Domain;
use crate::entities::Entities;
use crate::filter_memory::FilterMemory;
use crate::loading::EntityLoader;
use crate::pending::PendingSubmission;
use crate::seen::SeenFilter;
use crate::submission::SubmitError;
use crate::tuning::Tuning;

/// The first and the longest pause before a retry.
const BACKOFF_FIRST: Duration = Duration::from_millis(20);
const BACKOFF_MAX: Duration = Duration::from_millis(200);

/// How long a statement may take before its connection counts as dead.
pub(crate) const STATEMENT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long loading the entities of a batch may take: an entity without a snapshot may have a long history.
pub(crate) const LOAD_TIMEOUT: Duration = Duration::from_secs(30);

/// The parts that the writers of one engine share.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub store: LogWriter,
    pub notifier: CommitNotifier,
    pub environment: Environment,
    pub tuning: Tuning,
    /// Permits to read the history of a log.
    pub history_reads: Arc<Semaphore>,
    pub filter_memory: FilterMemory,
}

/// Runs the writer of a log until it has been idle for a while, or until the engine stops and the inbox is empty.
pub(crate) async fn run<D: Domain>(
    context: Context,
    log: &LogName,
    mut inbox: mpsc::Receiver<PendingSubmission<D>>,
    stopping: CancellationToken,
) {
    let mut writer: Option<Writer<D>> = None;
    let mut pending: Vec<PendingSubmission<D>> = Vec::new();
    loop {
        if pending.is_empty() {
            match next(&mut inbox, context.tuning.idle, &stopping).await {
                Some(first) => pending.push(first),
                None => return,
            }
        }
        fill(&mut pending, &mut inbox, context.tuning.batch_commands_max);
        if writer.is_none() {
            writer = Writer::open_for(&context, log, &mut pending).await;
        }
        match &mut writer {
            Some(writer) => {
                let submissions = std::mem::take(&mut pending);
                let span = tracing::debug_span!("batch", %log, submissions = submissions.len());
                pending = writer.process(submissions).instrument(span).await;
            }
            // Callers may invent any number of names, so a log that does not exist keeps no writer. A submission that
            // arrived meanwhile is still in the inbox and starts another one: the log may exist by now.
            None => inbox.close(),
        }
    }
}

/// The next submission; `None` when the writer should end. It closes the inbox first, so that nothing is left in it.
async fn next<D: Domain>(
    inbox: &mut mpsc::Receiver<PendingSubmission<D>>,
    idle: Duration,
    stopping: &CancellationToken,
) -> Option<PendingSubmission<D>> {
    tokio::select! {
        biased;
        first = inbox.recv() => return first,
        () = stopping.cancelled() => {}
        () = tokio::time::sleep(idle) => {}
    }
    inbox.close();
    inbox.recv().await
}

fn fill<D: Domain>(
    pending: &mut Vec<PendingSubmission<D>>,
    inbox: &mut mpsc::Receiver<PendingSubmission<D>>,
    commands_max: usize,
) {
    let mut commands: usize = pending.iter().map(|pending| pending.submission.commands.len()).sum();
    while commands < commands_max {
        match inbox.try_recv() {
            Ok(next) => {
                commands += next.submission.commands.len();
                pending.push(next);
            }
            Err(_) => return,
        }
    }
}

/// The state of a log's writer between batches.
#[derive(Debug)]
pub(crate) struct Writer<D: Domain> {
    pub(crate) log: LogKey,
    pub(crate) log_id: Uuid,
    /// For the output of the process: people know logs by name.
    pub(crate) name: LogName,
    pub(crate) store: LogWriter,
    pub(crate) environment: Environment,
    pub(crate) tuning: Tuning,
    /// Where the log ended when it was last read or written. Every decision rests on it, and every append compares it.
    pub(crate) tip: Tip,
    /// The Merkle tree of the log up to the tip.
    pub(crate) frontier: Frontier,
    pub(crate) fence: i64,
    pub(crate) recorded_at: DateTime<Utc>,
    pub(crate) entities: Entities<D>,
    pub(crate) loader: EntityLoader<D>,
    pub(crate) seen: SeenFilter,
    pub(crate) notifier: CommitNotifier,
    /// One task at a time saves snapshots.
    pub(crate) snapshots: Arc<Semaphore>,
}

/// Why an attempt did not commit its batch. It decides how to continue.
#[derive(Debug)]
pub(crate) enum AttemptError {
    /// Another process wrote first, or the log has lost its end: read the log and decide again.
    TipMoved,
    /// A decision read an entity that its command had not named: load it and decide again.
    Incomplete,
    /// A key that seemed new has an outcome.
    KeyTaken,
    /// No caller waits any more.
    GivenUp,
    /// The store cannot be reached; nothing was sent.
    Unavailable(StoreError),
    /// The time of the batch is ahead of the database's clock.
    ClockAhead(StoreError),
    /// The connection was lost during the commit.
    OutcomeUnknown(StoreError),
    /// The store or the domain cannot take this batch, now or later.
    Refused(String),
}

impl From<StoreError> for AttemptError {
    fn from(error: StoreError) -> AttemptError {
        match error {
            StoreError::Unavailable(_) => AttemptError::Unavailable(error),
            StoreError::OutcomeUnknown(_) => AttemptError::OutcomeUnknown(error),
            StoreError::ClockAhead(_) => AttemptError::ClockAhead(error),
            // The log has moved between two reads.
            StoreError::Diverged(_) => AttemptError::TipMoved,
            StoreError::Refused(source) => AttemptError::Refused(source.to_string()),
            StoreError::KeyCollision { .. } | StoreError::Corrupt(_) => {
                AttemptError::Refused(error.to_string())
            }
        }
    }
}

impl<D: Domain> Writer<D> {
    /// Processes submissions until they are answered. Returns those that had to wait for this batch.
    async fn process(&mut self, pending: Vec<PendingSubmission<D>>) -> Vec<PendingSubmission<D>> {
        let mut batch = Batch::new(pending);
        let mut backoff = Backoff::default();
        // The answer to a caller whose time runs out first.
        let mut overdue = SubmitError::Unavailable;
        loop {
            batch.answer_overdue(&overdue);
            overdue = SubmitError::Unavailable;
            if batch.is_empty() {
                self.entities.put_back();
                return batch.into_deferred();
            }
            let Err(mut error) = self.attempt(&mut batch).await else { return batch.into_deferred() };
            self.entities.discard_drafts();
            if matches!(error, AttemptError::TipMoved) {
                metrics::counter!("recount_writer_lost_races_total").increment(1);
                match within(LOAD_TIMEOUT, self.catch_up()).await {
                    Ok(()) => continue,
                    Err(why) => error = why,
                }
            }
            match error {
                AttemptError::TipMoved | AttemptError::Incomplete => {}
                AttemptError::KeyTaken => {
                    self.seen.keys.doubt();
                    batch.look_up_all_keys();
                }
                AttemptError::GivenUp => {
                    tracing::warn!(log = %self.name, "loading takes longer than callers wait; the next batch goes on with it");
                }
                AttemptError::Unavailable(error) => {
                    tracing::warn!(log = %self.name, %error, source = ?error, "a batch waits for the store");
                    backoff.pause().await;
                }
                AttemptError::ClockAhead(error) => {
                    tracing::error!(log = %self.name, %error, "a batch waits until its time has come");
                    metrics::counter!("recount_writer_clock_ahead_total").increment(1);
                    overdue = SubmitError::ClockAhead;
                    backoff.pause().await;
                }
                AttemptError::OutcomeUnknown(error) => {
                    tracing::warn!(log = %self.name, %error, source = ?error, "the outcome of a batch is unknown");
                    if self.settle(&mut batch).await {
                        return batch.into_deferred();
                    }
                }
                AttemptError::Refused(reason) => {
                    tracing::error!(log = %self.name, reason, "a batch was refused");
                    // One submission that cannot be stored must not make the others fail.
                    self.entities.put_back();
                    batch.isolate(&SubmitError::Internal);
                }
            }
        }
    }

    /// Takes the batch through its steps, once.
    async fn attempt(&mut self, batch: &mut Batch<D>) -> Result<(), AttemptError> {
        within(STATEMENT_TIMEOUT, self.recall(batch)).await?;
        if batch.is_empty() {
            self.entities.put_back();
            return Ok(());
        }
        within(LOAD_TIMEOUT, self.load(batch)).await?;
        batch.begin_sending();
        if batch.is_empty() {
            self.entities.put_back();
            return Ok(());
        }
        let outcome = match self.decide(batch) {
            Ok(prepared) => self.commit(batch, &prepared).await,
            Err(error) => Err(error),
        };
        if !matches!(outcome, Ok(()) | Err(AttemptError::OutcomeUnknown(_))) {
            batch.not_sent();
        }
        outcome
    }
}

/// Limits the time of work on the store: a host that has vanished does not even return an error.
pub(crate) async fn within<T>(
    timeout: Duration,
    work: impl Future<Output = Result<T, AttemptError>>,
) -> Result<T, AttemptError> {
    let unreachable = || AttemptError::Unavailable(StoreError::Unavailable(sqlx::Error::PoolTimedOut));
    tokio::time::timeout(timeout, work).await.unwrap_or_else(|_elapsed| Err(unreachable()))
}

/// Pauses that get longer each time.
#[derive(Debug)]
pub(crate) struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Backoff {
        Backoff(BACKOFF_FIRST)
    }
}

impl Backoff {
    pub(crate) async fn pause(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(BACKOFF_MAX);
    }
}
