//! The writer: the one loop per log and process that decides and appends.
//!
//! It takes what waits, decides it in memory one after another, and commits all of it with one statement; only then
//! are the callers answered. If another process wrote in between, nothing was committed: the writer reads the tail
//! and decides again. If the connection broke during the commit, it finds out from the log what happened, never by
//! guessing.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use recount_event_store::{Appended, EventStore, Log, Notifier, StoreError};
use recount_events::{LogKey, Position};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::batch::{Batch, Prepared};
use super::domain::Domain;
use super::entities::Entities;
use super::seen::SeenFilter;
use super::submission::SubmitError;
use super::tuning::Tuning;
use super::waiting::Waiting;

/// How long to wait before the store is tried again: at first, and at most.
const BACKOFF_FIRST: Duration = Duration::from_millis(20);
const BACKOFF_MAX: Duration = Duration::from_millis(200);

/// How long one statement may take before the connection is taken for dead.
const STATEMENT_TIME_MAX: Duration = Duration::from_secs(5);

/// How long it may take to load the entities of a batch: one without a snapshot may have a long history.
const LOAD_TIME_MAX: Duration = Duration::from_secs(30);

/// Events that are read at a time when another process has written.
const TAIL_PAGE: u32 = 1_000;

/// Events that are read to bring what is in memory up to date. Of a longer tail hardly anything concerns it: whoever
/// is further behind loads what it needs.
const TAIL_MAX: i64 = 10_000;

/// What a writer works with.
#[derive(Debug)]
pub(super) struct Context {
    pub log: LogKey,
    pub store: EventStore,
    pub notifier: Notifier,
    pub tuning: Tuning,
    pub history_reads: Arc<Semaphore>,
}

/// Runs the writer of a log until it has had no work for a while, or the engine stops and the inbox is empty.
pub(super) async fn run<D: Domain>(
    context: Context,
    mut inbox: mpsc::Receiver<Waiting<D>>,
    stopping: CancellationToken,
) {
    let mut writer: Option<Writer<D>> = None;
    let mut waiting: Vec<Waiting<D>> = Vec::new();
    loop {
        if waiting.is_empty() {
            match next(&mut inbox, context.tuning.idle, &stopping).await {
                Some(first) => waiting.push(first),
                None => return,
            }
        }
        fill(&mut waiting, &mut inbox, context.tuning.batch_commands_max);
        if writer.is_none() {
            writer = Writer::open_for(&context, &mut waiting).await;
        }
        match &mut writer {
            Some(writer) => waiting = writer.process(std::mem::take(&mut waiting)).await,
            // Names that no log has are without number: none of them keeps anything. Whoever came meanwhile is in the
            // inbox and asks again, for the log may have been made since.
            None => inbox.close(),
        }
    }
}

/// The next submission; `None` when the writer shall end. Closes the inbox first, so that nothing is left in it.
async fn next<D: Domain>(
    inbox: &mut mpsc::Receiver<Waiting<D>>,
    idle: Duration,
    stopping: &CancellationToken,
) -> Option<Waiting<D>> {
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
    waiting: &mut Vec<Waiting<D>>,
    inbox: &mut mpsc::Receiver<Waiting<D>>,
    commands_max: usize,
) {
    let mut commands: usize = waiting.iter().map(|waiting| waiting.submission.commands.len()).sum();
    while commands < commands_max {
        match inbox.try_recv() {
            Ok(next) => {
                commands += next.submission.commands.len();
                waiting.push(next);
            }
            Err(_) => return,
        }
    }
}

fn refuse<D: Domain>(
    waiting: &mut Vec<Waiting<D>>,
    which: impl Fn(&Waiting<D>) -> bool,
    error: &SubmitError,
) {
    waiting
        .extract_if(.., |waiting| which(waiting))
        .for_each(|mut waiting| waiting.answer(Err(error.clone())));
}

/// The state of a log's writer between batches.
#[derive(Debug)]
pub(super) struct Writer<D: Domain> {
    pub(super) log: LogKey,
    pub(super) store: EventStore,
    pub(super) tuning: Tuning,
    pub(super) head: Position,
    pub(super) fence: i64,
    pub(super) recorded_at: DateTime<Utc>,
    pub(super) entities: Entities<D>,
    pub(super) seen: SeenFilter,
    notifier: Notifier,
    /// One task at a time keeps snapshots.
    snapshots: Arc<Semaphore>,
}

/// Why a batch was not committed, and what to do.
#[derive(Debug)]
pub(super) enum Setback {
    /// Somebody else wrote: read the log and decide again.
    HeadMoved,
    /// A decision reads an entity that it did not name: load it and decide again.
    Incomplete,
    /// A key that was taken for new has an outcome.
    KeyTaken,
    /// The store cannot be reached; nothing was sent.
    Unavailable(StoreError),
    /// The connection was lost during the commit.
    OutcomeUnknown(StoreError),
    /// The store or the domain cannot take this batch, now or later.
    Refused(String),
}

impl From<StoreError> for Setback {
    fn from(error: StoreError) -> Setback {
        match error {
            StoreError::Unavailable(_) => Setback::Unavailable(error),
            StoreError::OutcomeUnknown(_) => Setback::OutcomeUnknown(error),
            StoreError::Refused(source) => Setback::Refused(source.to_string()),
            StoreError::KeyCollision { .. } | StoreError::Corrupt(_) => Setback::Refused(error.to_string()),
        }
    }
}

impl<D: Domain> Writer<D> {
    /// Opens the log for those who wait, and tries again as long as one of them has patience. Without a writer, all
    /// of them have been answered.
    async fn open_for(context: &Context, waiting: &mut Vec<Waiting<D>>) -> Option<Writer<D>> {
        let mut backoff = BACKOFF_FIRST;
        loop {
            refuse(waiting, Waiting::is_overdue, &SubmitError::Unavailable);
            if waiting.is_empty() {
                return None;
            }
            let refusal = match within(STATEMENT_TIME_MAX, Writer::open(context)).await {
                Ok(Some(opened)) => return Some(opened),
                Ok(None) => SubmitError::LogUnknown,
                Err(Setback::Refused(reason)) => {
                    tracing::error!(log = context.log.0, reason, "a log cannot be opened");
                    SubmitError::Internal
                }
                Err(error) => {
                    tracing::warn!(log = context.log.0, ?error, "a log waits for the store to be opened");
                    wait(&mut backoff).await;
                    continue;
                }
            };
            refuse(waiting, |_| true, &refusal);
        }
    }

    async fn open(context: &Context) -> Result<Option<Writer<D>>, Setback> {
        let Some(Log { head, fence, recorded_at, .. }) = context.store.log(context.log).await? else {
            return Ok(None);
        };
        let Context { store, tuning, history_reads, .. } = context;
        Ok(Some(Writer {
            log: context.log,
            store: store.clone(),
            tuning: tuning.clone(),
            head,
            fence,
            recorded_at,
            entities: Entities::new(tuning.entities_max),
            seen: SeenFilter::new(store, context.log, head, tuning.seen_max, history_reads.clone()),
            notifier: context.notifier.clone(),
            snapshots: Arc::new(Semaphore::new(1)),
        }))
    }

    /// Sees submissions through to their answers. Gives back those that have to wait for what this batch wrote.
    async fn process(&mut self, waiting: Vec<Waiting<D>>) -> Vec<Waiting<D>> {
        let mut batch = Batch::new(waiting);
        let mut backoff = BACKOFF_FIRST;
        // What a caller is told whose patience ends before there is an outcome.
        let mut overdue = SubmitError::Unavailable;
        loop {
            batch.answer_overdue(Waiting::is_overdue, &overdue);
            if batch.is_empty() {
                self.entities.put_back();
                return batch.into_deferred();
            }
            let Err(mut setback) = self.attempt(&mut batch).await else { return batch.into_deferred() };
            self.entities.discard_drafts();
            if matches!(setback, Setback::HeadMoved) {
                metrics::counter!("recount_writer_lost_races_total").increment(1);
                match within(LOAD_TIME_MAX, self.catch_up()).await {
                    Ok(()) => continue,
                    Err(why) => setback = why,
                }
            }
            match setback {
                Setback::HeadMoved | Setback::Incomplete => {}
                Setback::KeyTaken => batch.look_up_all_keys(),
                Setback::Unavailable(error) => {
                    tracing::warn!(log = self.log.0, %error, source = ?error, "a batch waits for the store");
                    wait(&mut backoff).await;
                }
                Setback::OutcomeUnknown(error) => {
                    tracing::warn!(log = self.log.0, %error, source = ?error, "finding out what became of a batch");
                    overdue = SubmitError::OutcomeUnknown;
                    if self.settle(&mut batch).await {
                        return batch.into_deferred();
                    }
                }
                Setback::Refused(reason) => {
                    tracing::error!(log = self.log.0, reason, "a batch was refused");
                    // One submission that cannot be stored must not take the others with it.
                    self.entities.put_back();
                    batch.isolate(&SubmitError::Internal);
                }
            }
        }
    }

    /// Decides the batch and commits it.
    async fn attempt(&mut self, batch: &mut Batch<D>) -> Result<(), Setback> {
        within(STATEMENT_TIME_MAX, self.recall(batch)).await?;
        if batch.is_empty() {
            self.entities.put_back();
            return Ok(());
        }
        within(LOAD_TIME_MAX, self.load(batch)).await?;
        let prepared = self.decide(batch)?;
        match self.commit(&prepared).await? {
            Appended::HeadMoved => return Err(Setback::HeadMoved),
            Appended::KeyTaken => return Err(Setback::KeyTaken),
            Appended::Done => {}
        }
        self.succeed(batch, &prepared);
        Ok(())
    }

    async fn commit(&self, prepared: &Prepared) -> Result<Appended, Setback> {
        let started = std::time::Instant::now();
        let appended = self.store.append(&prepared.append, STATEMENT_TIME_MAX).await?;
        metrics::histogram!("recount_append_seconds").record(started.elapsed());
        metrics::counter!("recount_events_appended_total").increment(prepared.append.events() as u64);
        Ok(appended)
    }

    /// The batch is durable: make it this writer's truth, and tell the callers.
    fn succeed(&mut self, batch: &mut Batch<D>, prepared: &Prepared) {
        self.entities.commit_drafts();
        self.head = prepared.append.next_position();
        self.recorded_at = prepared.recorded_at;
        prepared.new_tags.iter().for_each(|tag| self.seen.insert_tag(tag));
        batch.answer_decided(&mut self.seen);
        if prepared.append.events() > 0 {
            self.notifier.moved();
        }
        self.keep_snapshots();
        self.entities.put_back();
    }

    fn keep_snapshots(&mut self) {
        let Ok(permit) = self.snapshots.clone().try_acquire_owned() else {
            return;
        };
        let due = self.entities.due_snapshots(self.tuning.snapshot_every);
        if due.is_empty() {
            return;
        }
        let (store, log) = (self.store.clone(), self.log);
        tokio::spawn(async move {
            if let Err(error) = store.save_snapshots(log, &due).await {
                tracing::debug!(%error, "snapshots were not kept; the next ones will be");
            }
            drop(permit);
        });
    }

    /// Reads what others have appended.
    async fn catch_up(&mut self) -> Result<(), Setback> {
        let log =
            self.store.log(self.log).await?.ok_or_else(|| Setback::Refused("the log is gone".to_owned()))?;
        if log.head.0 - self.head.0 > TAIL_MAX {
            self.reopen(&log);
            return Ok(());
        }
        let mut position = self.head;
        while position < log.head {
            let events = self.store.read(self.log, position, TAIL_PAGE).await?;
            if events.is_empty() {
                return Err(Setback::Refused(format!("the log ends at {position} before its head")));
            }
            for event in &events {
                event.tags.iter().for_each(|tag| self.seen.insert_tag(tag));
                match D::decode(&event.event_type, event.version, &event.data) {
                    Ok(decoded) => self.entities.catch_up(&event.tags, event.position, &decoded),
                    Err(error) => {
                        // Whoever needs an entity that it concerns is told when it is loaded; the others go on.
                        tracing::error!(log = self.log.0, position = %event.position, %error, "an event is unreadable");
                        self.entities.clear();
                    }
                }
                position = event.position;
                self.recorded_at = self.recorded_at.max(event.recorded_at);
            }
            self.head = position;
        }
        self.fence = log.fence;
        self.recorded_at = self.recorded_at.max(log.recorded_at);
        Ok(())
    }

    /// Begins anew at the head of the log, and forgets what came before.
    fn reopen(&mut self, log: &Log) {
        (self.head, self.fence, self.recorded_at) = (log.head, log.fence, log.recorded_at);
        self.entities.clear();
        self.seen.reopen(log.head);
    }

    /// Finds out whether a batch whose commit broke is in the log, and answers its callers if it is. Answers whether the
    /// batch is over: because it is in the log, or because nobody waits for it any more.
    async fn settle(&mut self, batch: &mut Batch<D>) -> bool {
        // Catching up moves the head, also where it fails half-way: the batch would stand right after this one.
        let before = self.head;
        let mut backoff = BACKOFF_FIRST;
        loop {
            batch.answer_overdue(Waiting::is_overdue, &SubmitError::OutcomeUnknown);
            if batch.is_empty() {
                // Whatever is still on its way, the compare-and-set keeps it and the next batch apart.
                self.entities.put_back();
                return true;
            }
            match within(STATEMENT_TIME_MAX, self.look_for(before, batch.first_event_id())).await {
                Ok(found) => {
                    tracing::info!(log = self.log.0, found, "found out what became of a batch");
                    if found {
                        batch.answer_decided(&mut self.seen);
                        self.notifier.moved();
                        self.entities.put_back();
                    } else {
                        // Outcomes without events leave no trace in the log itself: the keys tell.
                        batch.look_up_all_keys();
                    }
                    return found;
                }
                Err(error) => {
                    tracing::warn!(
                        log = self.log.0,
                        ?error,
                        "the store cannot be asked what became of a batch"
                    );
                    wait(&mut backoff).await;
                }
            }
        }
    }

    /// Whether the event that follows `before` is this one. Nothing that is on its way can get there later.
    async fn look_for(&mut self, before: Position, first_event: Option<uuid::Uuid>) -> Result<bool, Setback> {
        self.store.raise_fence(self.log).await?;
        let found = match first_event {
            Some(id) => {
                self.store.read(self.log, before, 1).await?.first().is_some_and(|event| event.id == id)
            }
            None => false,
        };
        self.catch_up().await?;
        Ok(found)
    }
}

/// Gives work on the store up after a while: a host that has vanished answers nothing, not even an error.
async fn within<T>(time_max: Duration, work: impl Future<Output = Result<T, Setback>>) -> Result<T, Setback> {
    let gone = || Setback::Unavailable(StoreError::Unavailable(sqlx::Error::PoolTimedOut));
    tokio::time::timeout(time_max, work).await.unwrap_or_else(|_elapsed| Err(gone()))
}

async fn wait(backoff: &mut Duration) {
    tokio::time::sleep(*backoff).await;
    *backoff = (*backoff * 2).min(BACKOFF_MAX);
}
