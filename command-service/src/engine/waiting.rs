//! A submission on its way through the engine, with the way back to its caller.

use chrono::{DateTime, Utc};
use recount_service_kit::clock;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use recount_events::Tag;

use super::domain::Domain;
use super::submission::{Submission, SubmissionOutcome, SubmitError};

/// Room in the inbox, held by a submission until it has an outcome.
pub(super) type Room = OwnedSemaphorePermit;

/// A submission in the inbox.
#[derive(Debug)]
pub(super) struct Waiting<D: Domain> {
    pub submission: Submission<D::Command>,
    reply: Option<oneshot::Sender<Result<SubmissionOutcome, SubmitError>>>,
    _room: Room,
    deadline: DateTime<Utc>,
    /// What turned out to be needed only when its commands were decided.
    wanted: Vec<Tag>,
    rounds: u8,
}

impl<D: Domain> Waiting<D> {
    pub(super) fn new(
        submission: Submission<D::Command>,
        reply: oneshot::Sender<Result<SubmissionOutcome, SubmitError>>,
        room: Room,
        deadline: DateTime<Utc>,
    ) -> Waiting<D> {
        Waiting { submission, reply: Some(reply), _room: room, deadline, wanted: Vec::new(), rounds: 0 }
    }

    /// Tells the caller, if it is still there and has not been told.
    pub(super) fn answer(&mut self, outcome: Result<SubmissionOutcome, SubmitError>) {
        if let Some(reply) = self.reply.take() {
            let _ = reply.send(match outcome {
                // Whatever became of the commit, it was not for this one.
                Err(SubmitError::OutcomeUnknown) if self.submission.dry_run => Err(SubmitError::Unavailable),
                outcome => outcome,
            });
        }
    }

    /// Has these loaded as well before it is decided again. Answers how often that has been so.
    pub(super) fn want(&mut self, tags: Vec<Tag>) -> u8 {
        self.wanted.extend(tags);
        self.rounds = self.rounds.saturating_add(1);
        self.rounds
    }

    /// The entities that it needs beside those that its commands name.
    pub(super) fn wanted(&self) -> &[Tag] {
        &self.wanted
    }

    pub(super) fn is_answered(&self) -> bool {
        self.reply.is_none()
    }

    /// Whether its caller has waited as long as it should.
    pub(super) fn is_overdue(&self) -> bool {
        self.deadline < clock::now()
    }
}
