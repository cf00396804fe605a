//! A command endpoint over any domain: HTTP requests become submissions, and outcomes become HTTP answers.
//!
//! [`routes`] is a whole command API for a domain whose commands are `serde` types. A service with an API of its own, such
//! as one route per command, builds it from the same parts: the [`Caller`] extractor, [`CommandEndpoint`], [`read_batch`].
//!
//! Nothing here names a domain. The domain brings its commands and its [`ProblemCatalogue`].

mod answers;
mod batch;
mod caller;
mod routes;
mod store_clock;
mod store_problem;
mod structured_field;

use axum::http::StatusCode;
use axum::response::Response;
use recount_core::LogName;
use recount_writer::{CommandEngine, Domain, SubmissionOutcome};

use crate::problem::Problem;

pub use answers::{LOG_UNKNOWN, PROBLEMS, ProblemCatalogue, emitted_events};
pub use batch::{NamedCommand, read_batch, unknown_command};
pub use caller::{Caller, SubmitOptions};
pub use routes::{log_name, routes};
pub use store_clock::StoreClock;
pub use store_problem::store_problem;

/// The commands of one domain over HTTP.
#[derive(Debug)]
pub struct CommandEndpoint<'a, D: Domain> {
    pub engine: &'a CommandEngine<D>,
    pub catalogue: &'a ProblemCatalogue,
}

impl<D: Domain> CommandEndpoint<'_, D> {
    /// Submits commands and waits for their outcome.
    ///
    /// `request` holds the parts that distinguish this request from every other: an idempotency key stands for exactly
    /// one request.
    pub async fn submit(
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
    pub fn answer_single(&self, outcome: SubmissionOutcome, accepted: StatusCode) -> Response {
        answers::single(outcome, accepted, self.catalogue)
    }

    /// The answer to a batch.
    pub fn answer_batch(&self, outcome: SubmissionOutcome) -> Response {
        answers::batch(outcome, self.catalogue)
    }
}
