//! A submission on its way through the engine, with the way back to its caller.

use chrono::{DateTime, Utc};
use recount_service_kit::clock;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

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
}

impl<D: Domain> Waiting<D> {
    pub(super) fn new(
        submission: Submission<D::Command>,
        reply: oneshot::Sender<Result<SubmissionOutcome, SubmitError>>,
        room: Room,
        deadline: DateTime<Utc>,
    ) -> Waiting<D> {
        Waiting { submission, reply: Some(reply), _room: room, deadline }
    }

    /// Tells the caller, if it is still there and has not been told.
    pub(super) fn answer(&mut self, outcome: Result<SubmissionOutcome, SubmitError>) {
        if let Some(reply) = self.reply.take() {
            let _ = reply.send(outcome);
        }
    }

    pub(super) fn is_answered(&self) -> bool {
        self.reply.is_none()
    }

    /// Whether its caller has waited as long as it should.
    pub(super) fn is_overdue(&self) -> bool {
        self.deadline < clock::now()
    }
}
