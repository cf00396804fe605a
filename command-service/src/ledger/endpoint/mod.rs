//! A command endpoint over any domain: HTTP requests become submissions, and their outcomes become HTTP answers.
//!
//! Nothing in this folder names a domain. The domain brings its commands ([`NamedCommand`]), its
//! [`ProblemCatalogue`], and the routes with their OpenAPI description.

// Before the modules that use its macros.
#[macro_use]
mod json_types;

mod answers;
mod batch;
mod caller;
mod store_problem;
mod structured_field;

use axum::http::StatusCode;
use axum::response::Response;
use recount_core::LogName;
use recount_service_kit::problem::Problem;

use recount_writer::{CommandEngine, Domain, SubmissionOutcome};

pub(crate) use answers::{ProblemCatalogue, emitted_events};
pub(crate) use batch::{NamedCommand, read_batch, unknown_command};
pub(crate) use caller::{Caller, SubmitOptions};
pub(crate) use store_problem::store_problem;

/// The commands of one domain over HTTP.
#[derive(Debug)]
pub(crate) struct CommandEndpoint<'a, D: Domain> {
    pub engine: &'a CommandEngine<D>,
    pub catalogue: &'a ProblemCatalogue,
}

impl<D: Domain> CommandEndpoint<'_, D> {
    /// Submits commands and waits for their outcome.
    ///
    /// `request` holds the parts that distinguish this request from every other: an idempotency key stands for exactly
    /// one request.
    pub(crate) async fn submit(
        &self,
        log: &LogName,
        caller: &Caller,
        commands: Vec<D::Command>,
        options: SubmitOptions,
        request: &[&[u8]],
    ) -> Result<SubmissionOutcome, Problem> {
        let submission = caller.submission(commands, options, request);
        let outcome = self.engine.submit(log, submission).await;
        outcome.map_err(|error| answers::submit_problem(&error, self.catalogue))
    }

    /// The answer to a single command; `accepted` is the status if it was accepted.
    pub(crate) fn answer_single(&self, outcome: SubmissionOutcome, accepted: StatusCode) -> Response {
        answers::single(outcome, accepted, self.catalogue)
    }

    /// The answer to a batch.
    pub(crate) fn answer_batch(&self, outcome: SubmissionOutcome) -> Response {
        answers::batch(outcome, self.catalogue)
    }
}
