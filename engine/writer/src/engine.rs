//! The engine: finds the writer of a log, or starts it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use recount_core::{Environment, LogName};
use recount_store::{CommitNotifier, LogReader, LogWriter, StoreError};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::domain::Domain;
use crate::filter_memory::FilterMemory;
use crate::pending::{PendingSubmission, Progress};
use crate::retention;
use crate::submission::{Submission, SubmissionOutcome, SubmitError};
use crate::tuning::Tuning;
use crate::writer::{self, Context, STATEMENT_TIMEOUT};

/// Writers that read the history of their logs at the same time. More would keep the store busy when a process starts.
/// A writer that waits looks up each tag and key instead.
const HISTORY_READS_MAX: usize = 2;

/// How long after the timeout of a submission its writer may still answer: it knows best what went wrong.
const ANSWER_GRACE: Duration = Duration::from_millis(500);

/// Takes the commands of a domain and returns their outcomes. Cheap to clone.
#[derive(Debug)]
pub struct CommandEngine<D: Domain> {
    inner: Arc<Inner<D>>,
}

impl<D: Domain> Clone for CommandEngine<D> {
    fn clone(&self) -> CommandEngine<D> {
        CommandEngine { inner: self.inner.clone() }
    }
}

#[derive(Debug)]
struct Inner<D: Domain> {
    context: Context,
    writers: Mutex<HashMap<LogName, Inbox<D>>>,
    tasks: TaskTracker,
    stopping: CancellationToken,
    /// Ends the task that forgets outcomes, also if nobody stops the engine.
    _retention: DropGuard,
}

/// The sending end of a writer's inbox.
#[derive(Debug)]
struct Inbox<D: Domain> {
    submissions: mpsc::Sender<PendingSubmission<D>>,
    /// The free bytes of the inbox, one permit each.
    room: Arc<Semaphore>,
}

impl<D: Domain> Clone for Inbox<D> {
    fn clone(&self) -> Inbox<D> {
        Inbox { submissions: self.submissions.clone(), room: self.room.clone() }
    }
}

impl<D: Domain> CommandEngine<D> {
    /// Starts an engine on a store whose schema is up to date. Must be called within a tokio runtime.
    pub fn start(store: LogWriter, environment: Environment, tuning: Tuning) -> CommandEngine<D> {
        let notifier = CommitNotifier::start(&store);
        let history_reads = Arc::new(Semaphore::new(HISTORY_READS_MAX));
        let filter_memory = FilterMemory::new(tuning.seen_bytes_max);
        let stopping = CancellationToken::new();
        let tasks = TaskTracker::new();
        let retention = stopping.child_token();
        tasks.spawn(retention::run(store.clone(), tuning.outcome_retention, retention.clone()));
        let context = Context { store, notifier, environment, tuning, history_reads, filter_memory };
        let inner =
            Inner { context, writers: Mutex::default(), tasks, stopping, _retention: retention.drop_guard() };
        CommandEngine { inner: Arc::new(inner) }
    }

    pub(crate) fn context(&self) -> &Context {
        &self.inner.context
    }

    /// Reads the logs that this engine writes.
    pub fn reader(&self) -> &LogReader {
        self.inner.context.store.reader()
    }

    /// Creates the log if it does not exist.
    pub async fn create_log(&self, log: &LogName) -> Result<(), StoreError> {
        self.inner.context.store.create_log(log).await
    }

    /// Hands a submission to the writer of its log and waits for the outcome.
    ///
    /// Dropping the future does not take the submission back. The answer comes within [`Tuning::command_timeout`], and only
    /// for a submission that is being appended by then a few seconds later.
    pub async fn submit(
        &self,
        log: &LogName,
        submission: Submission<D::Command>,
    ) -> Result<SubmissionOutcome, SubmitError> {
        let (reply, mut outcome) = oneshot::channel();
        let timeout = self.inner.context.tuning.command_timeout;
        let dry_run = submission.dry_run;
        let progress = Arc::new(Progress::default());
        self.enqueue(log, submission, reply, progress.clone())?;
        if let Ok(answer) = tokio::time::timeout(timeout + ANSWER_GRACE, &mut outcome).await {
            return answer.unwrap_or_else(|_| Err(unanswered(dry_run, &progress)));
        }
        if dry_run || progress.take_back() {
            return Err(SubmitError::Unavailable);
        }
        // It is being appended. That has a bound of its own, so the answer is near.
        match tokio::time::timeout(STATEMENT_TIMEOUT, outcome).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) => Err(SubmitError::OutcomeUnknown),
        }
    }

    /// Whether this process has a writer for the log right now.
    pub fn has_writer(&self, log: &LogName) -> bool {
        let writers = self.inner.writers.lock().unwrap_or_else(PoisonError::into_inner);
        writers.get(log).is_some_and(|inbox| !inbox.submissions.is_closed())
    }

    fn enqueue(
        &self,
        log: &LogName,
        submission: Submission<D::Command>,
        reply: oneshot::Sender<Result<SubmissionOutcome, SubmitError>>,
        progress: Arc<Progress>,
    ) -> Result<(), SubmitError> {
        let mut inbox = self.inbox(log)?;
        let bytes = submission.bytes.clamp(1, self.inner.context.tuning.inbox_bytes_max);
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let room = inbox.room.clone().try_acquire_many_owned(bytes).map_err(|_| SubmitError::Busy)?;
        let deadline = Instant::now() + self.inner.context.tuning.command_timeout;
        let mut pending = PendingSubmission::new(submission, reply, room, deadline, progress);
        loop {
            match inbox.submissions.try_send(pending) {
                Ok(()) => return Ok(()),
                Err(mpsc::error::TrySendError::Full(_)) => return Err(SubmitError::Busy),
                Err(mpsc::error::TrySendError::Closed(returned)) => {
                    // The writer was idle and has just stopped.
                    pending = returned;
                    inbox = self.replace_inbox(log, &inbox)?;
                }
            }
        }
    }

    fn inbox(&self, log: &LogName) -> Result<Inbox<D>, SubmitError> {
        let mut writers = self.inner.writers.lock().unwrap_or_else(PoisonError::into_inner);
        match writers.entry(log.clone()) {
            Entry::Occupied(entry) => Ok(entry.get().clone()),
            Entry::Vacant(entry) => Ok(entry.insert(self.start_writer(log)?).clone()),
        }
    }

    fn replace_inbox(&self, log: &LogName, closed: &Inbox<D>) -> Result<Inbox<D>, SubmitError> {
        let mut writers = self.inner.writers.lock().unwrap_or_else(PoisonError::into_inner);
        match writers.get(log) {
            Some(inbox) if !inbox.submissions.same_channel(&closed.submissions) => Ok(inbox.clone()),
            _ => {
                let inbox = self.start_writer(log)?;
                writers.insert(log.clone(), inbox.clone());
                Ok(inbox)
            }
        }
    }

    fn start_writer(&self, log: &LogName) -> Result<Inbox<D>, SubmitError> {
        if self.inner.stopping.is_cancelled() {
            return Err(SubmitError::ShuttingDown);
        }
        let tuning = &self.inner.context.tuning;
        let (submissions, inbox) = mpsc::channel(tuning.inbox_submissions_max);
        let room = Arc::new(Semaphore::new(tuning.inbox_bytes_max));
        let sender = Inbox { submissions, room };
        let (inner, log) = (self.inner.clone(), log.clone());
        self.inner.tasks.spawn(async move {
            writer::run::<D>(inner.context.clone(), &log, inbox, inner.stopping.clone()).await;
            inner.forget_closed(&log);
        });
        Ok(sender)
    }

    /// Lets the writers finish the submissions in their inboxes, and waits until they have.
    pub async fn stop(&self) {
        self.inner.stopping.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }
}

/// The answer to a caller whose writer ended without one.
fn unanswered(dry_run: bool, progress: &Progress) -> SubmitError {
    if dry_run || progress.take_back() { SubmitError::Unavailable } else { SubmitError::OutcomeUnknown }
}

impl<D: Domain> Inner<D> {
    fn forget_closed(&self, log: &LogName) {
        let mut writers = self.writers.lock().unwrap_or_else(PoisonError::into_inner);
        if writers.get(log).is_some_and(|inbox| inbox.submissions.is_closed()) {
            writers.remove(log);
        }
    }
}
