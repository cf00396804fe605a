//! The engine's front: finds the writer of a log, or starts it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use recount_event_store::{EventStore, Notifier};
use recount_events::{LogKey, LogName};
use recount_service_kit::clock;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::domain::Domain;
use super::submission::{Submission, SubmissionOutcome, SubmitError};
use super::tuning::Tuning;
use super::waiting::Waiting;
use super::writer;

/// Writers that read at a time what their logs have seen: a process that starts must not keep the store busy with it.
/// The others look up what they need, as long as it takes.
const HISTORY_READS_MAX: usize = 2;

/// Commands of a domain in, outcomes out. Cheap to clone.
#[derive(Debug)]
pub struct Engine<D: Domain> {
    shared: Arc<Shared<D>>,
}

impl<D: Domain> Clone for Engine<D> {
    fn clone(&self) -> Engine<D> {
        Engine { shared: self.shared.clone() }
    }
}

#[derive(Debug)]
struct Shared<D: Domain> {
    store: EventStore,
    notifier: Notifier,
    tuning: Tuning,
    writers: Mutex<HashMap<LogKey, Inbox<D>>>,
    history_reads: Arc<Semaphore>,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

/// The way to a writer.
#[derive(Debug)]
struct Inbox<D: Domain> {
    submissions: mpsc::Sender<Waiting<D>>,
    /// One permit a byte.
    room: Arc<Semaphore>,
}

impl<D: Domain> Clone for Inbox<D> {
    fn clone(&self) -> Inbox<D> {
        Inbox { submissions: self.submissions.clone(), room: self.room.clone() }
    }
}

impl<D: Domain> Engine<D> {
    pub fn new(store: EventStore, notifier: Notifier, tuning: Tuning) -> Engine<D> {
        let shared = Shared {
            store,
            notifier,
            tuning,
            writers: Mutex::default(),
            history_reads: Arc::new(Semaphore::new(HISTORY_READS_MAX)),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
        };
        Engine { shared: Arc::new(shared) }
    }

    pub fn store(&self) -> &EventStore {
        &self.shared.store
    }

    /// Makes the log if it is not there.
    pub async fn create_log(&self, log: &LogName) -> Result<(), recount_event_store::StoreError> {
        self.shared.store.create_log(log).await
    }

    /// Hands a submission to the writer of its log and waits for what becomes of it.
    ///
    /// Dropping the future does not take the submission back.
    pub async fn submit(
        &self,
        log: LogKey,
        submission: Submission<D::Command>,
    ) -> Result<SubmissionOutcome, SubmitError> {
        let (reply, outcome) = oneshot::channel();
        let patience = self.shared.tuning.patience;
        let unanswered =
            if submission.dry_run { SubmitError::Unavailable } else { SubmitError::OutcomeUnknown };
        self.enqueue(log, submission, reply)?;
        // The writer answers in time by itself; twice the time is for a writer that cannot.
        match tokio::time::timeout(patience * 2, outcome).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) => Err(unanswered),
        }
    }

    /// Whether this process writes the log at the moment.
    pub fn has_writer(&self, log: LogKey) -> bool {
        let writers = self.shared.writers.lock().unwrap_or_else(PoisonError::into_inner);
        writers.get(&log).is_some_and(|inbox| !inbox.submissions.is_closed())
    }

    fn enqueue(
        &self,
        log: LogKey,
        submission: Submission<D::Command>,
        reply: oneshot::Sender<Result<SubmissionOutcome, SubmitError>>,
    ) -> Result<(), SubmitError> {
        let mut inbox = self.inbox(log)?;
        let bytes = submission.bytes.clamp(1, self.shared.tuning.inbox_bytes_max);
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let room = inbox.room.clone().try_acquire_many_owned(bytes).map_err(|_| SubmitError::Busy)?;
        let mut waiting = Waiting::new(submission, reply, room, clock::now() + self.shared.tuning.patience);
        loop {
            match inbox.submissions.try_send(waiting) {
                Ok(()) => return Ok(()),
                Err(mpsc::error::TrySendError::Full(_)) => return Err(SubmitError::Busy),
                Err(mpsc::error::TrySendError::Closed(returned)) => {
                    // The writer stopped for want of work just now.
                    waiting = returned;
                    inbox = self.replace_inbox(log, &inbox)?;
                }
            }
        }
    }

    fn inbox(&self, log: LogKey) -> Result<Inbox<D>, SubmitError> {
        let mut writers = self.shared.writers.lock().unwrap_or_else(PoisonError::into_inner);
        match writers.entry(log) {
            Entry::Occupied(entry) => Ok(entry.get().clone()),
            Entry::Vacant(entry) => Ok(entry.insert(self.start_writer(log)?).clone()),
        }
    }

    fn replace_inbox(&self, log: LogKey, closed: &Inbox<D>) -> Result<Inbox<D>, SubmitError> {
        let mut writers = self.shared.writers.lock().unwrap_or_else(PoisonError::into_inner);
        match writers.get(&log) {
            Some(inbox) if !inbox.submissions.same_channel(&closed.submissions) => Ok(inbox.clone()),
            _ => {
                let inbox = self.start_writer(log)?;
                writers.insert(log, inbox.clone());
                Ok(inbox)
            }
        }
    }

    fn start_writer(&self, log: LogKey) -> Result<Inbox<D>, SubmitError> {
        if self.shared.stopping.is_cancelled() {
            return Err(SubmitError::ShuttingDown);
        }
        let tuning = &self.shared.tuning;
        let (submissions, inbox) = mpsc::channel(tuning.inbox_submissions_max);
        let sender = Inbox { submissions, room: Arc::new(Semaphore::new(tuning.inbox_bytes_max)) };
        let shared = self.shared.clone();
        self.shared.tasks.spawn(async move {
            let context = writer::Context {
                log,
                store: shared.store.clone(),
                notifier: shared.notifier.clone(),
                tuning: shared.tuning.clone(),
                history_reads: shared.history_reads.clone(),
            };
            writer::run::<D>(context, inbox, shared.stopping.clone()).await;
            shared.forget_closed(log);
        });
        Ok(sender)
    }

    /// Lets the writers finish what waits for them, and waits until they have.
    pub async fn stop(&self) {
        self.shared.stopping.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }
}

impl<D: Domain> Shared<D> {
    fn forget_closed(&self, log: LogKey) {
        let mut writers = self.writers.lock().unwrap_or_else(PoisonError::into_inner);
        if writers.get(&log).is_some_and(|inbox| inbox.submissions.is_closed()) {
            writers.remove(&log);
        }
    }
}
