//! A submission on its way through the engine, with the way back to its caller.

use chrono::{DateTime, Utc};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use recount_core::Tag;

use crate::domain::Domain;
use crate::submission::{Submission, SubmissionOutcome, SubmitError};

/// Bytes of the inbox, held by a submission until it has an outcome.
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

    /// Tells the caller, if it is still there and has not been told.
    pub(crate) fn answer(&mut self, outcome: Result<SubmissionOutcome, SubmitError>) {
        if let Some(reply) = self.reply.take() {
            let _ = reply.send(match outcome {
                // Whatever happened to the commit, a dry run has no part in it.
                Err(SubmitError::OutcomeUnknown) if self.submission.dry_run => Err(SubmitError::Unavailable),
                outcome => outcome,
            });
        }
    }

    /// Asks for these to be loaded as well before the submission is decided again. Returns how many times it has asked.
    pub(crate) fn want(&mut self, tags: Vec<Tag>) -> u8 {
        self.wanted.extend(tags);
        self.rounds = self.rounds.saturating_add(1);
        self.rounds
    }

    /// The entities that it needs beside those that its commands name.
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
