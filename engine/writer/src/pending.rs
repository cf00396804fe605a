//! A submission on its way through the engine, with the channel back to its caller.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::Instant;

use recount_core::Tag;

use crate::domain::Domain;
use crate::submission::{Submission, SubmissionOutcome, SubmitError};

/// The bytes of the inbox that a submission takes until it has an outcome.
pub(crate) type Room = OwnedSemaphorePermit;

/// Whether a submission was sent to the store. The caller and the writer both look: a submission that was not sent can be
/// taken back, and of one that was sent nobody may say that nothing was done.
#[derive(Debug, Default)]
pub(crate) struct Progress(AtomicU8);

impl Progress {
    const WAITING: u8 = 0;
    const SENT: u8 = 1;
    const TAKEN_BACK: u8 = 2;

    /// Takes the submission back. False if it was sent.
    pub(crate) fn take_back(&self) -> bool {
        self.change(Progress::WAITING, Progress::TAKEN_BACK)
    }

    fn change(&self, from: u8, to: u8) -> bool {
        match self.0.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => true,
            Err(found) => found == to,
        }
    }
}

/// A submission in the inbox.
#[derive(Debug)]
pub(crate) struct PendingSubmission<D: Domain> {
    pub submission: Submission<D::Command>,
    reply: Option<oneshot::Sender<Result<SubmissionOutcome, SubmitError>>>,
    _room: Room,
    /// By a clock that only counts: patience does not change when somebody sets the time.
    deadline: Instant,
    progress: Arc<Progress>,
    /// Entities that turned out to be needed only when its commands were decided.
    wanted: Vec<Tag>,
    rounds: u8,
}

impl<D: Domain> PendingSubmission<D> {
    pub(crate) fn new(
        submission: Submission<D::Command>,
        reply: oneshot::Sender<Result<SubmissionOutcome, SubmitError>>,
        room: Room,
        deadline: Instant,
        progress: Arc<Progress>,
    ) -> PendingSubmission<D> {
        PendingSubmission {
            submission,
            reply: Some(reply),
            _room: room,
            deadline,
            progress,
            wanted: Vec::new(),
            rounds: 0,
        }
    }

    /// Answers the caller, if it still waits and has no answer yet.
    pub(crate) fn answer(&mut self, outcome: Result<SubmissionOutcome, SubmitError>) {
        if let Some(reply) = self.reply.take() {
            let _ = reply.send(match outcome {
                // A dry run is not part of the commit, so its outcome is never unknown.
                Err(SubmitError::OutcomeUnknown) if self.submission.dry_run => Err(SubmitError::Unavailable),
                outcome => outcome,
            });
        }
    }

    /// Asks for more entities to be loaded before the submission is decided again. Returns how often it has asked.
    pub(crate) fn want(&mut self, tags: Vec<Tag>) -> u8 {
        self.wanted.extend(tags);
        self.rounds = self.rounds.saturating_add(1);
        self.rounds
    }

    /// The entities that it needs in addition to those that its commands name.
    pub(crate) fn wanted(&self) -> &[Tag] {
        &self.wanted
    }

    pub(crate) fn is_answered(&self) -> bool {
        self.reply.is_none()
    }

    /// Whether its caller has waited long enough.
    pub(crate) fn is_overdue(&self) -> bool {
        self.deadline < Instant::now()
    }

    /// Says that the submission is about to be sent to the store. False if its caller has taken it back.
    pub(crate) fn begin_sending(&self) -> bool {
        // A dry run sends nothing.
        self.submission.dry_run || self.progress.change(Progress::WAITING, Progress::SENT)
    }

    /// Says that the submission was not sent after all.
    pub(crate) fn not_sent(&self) {
        self.progress.change(Progress::SENT, Progress::WAITING);
    }
}
