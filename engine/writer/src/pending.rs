//! A submission on its way through the engine, with the channel back to its caller.

use chrono::{DateTime, Utc};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use recount_core::Tag;

use crate::domain::Domain;
use crate::submission::{Submission, SubmissionOutcome, SubmitError};

/// The bytes of the inbox that a submission takes until it has an outcome.
pub(crate) type Room = OwnedSemaphorePermit;

/// A submission in the inbox.
#[derive(Debug)]
pub(crate) struct PendingSubmission<D: Domain> {
    pub submission: Submission<D::Command>,
    reply: Option<oneshot::Sender<Result<SubmissionOutcome, SubmitError>>>,
    _room: Room,
    deadline: DateTime<Utc>,
    /// Entities that turned out to be needed only when its commands were decided.
    wanted: Vec<Tag>,
    rounds: u8,
}

impl<D: Domain> PendingSubmission<D> {
    pub(crate) fn new(
        submission: Submission<D::Command>,
        reply: oneshot::Sender<Result<SubmissionOutcome, SubmitError>>,
        room: Room,
        deadline: DateTime<Utc>,
    ) -> PendingSubmission<D> {
        PendingSubmission {
            submission,
            reply: Some(reply),
            _room: room,
            deadline,
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
    pub(crate) fn is_overdue(&self, now: DateTime<Utc>) -> bool {
        self.deadline < now
    }
}
