//! From outcomes to HTTP answers.

use crate::problem::{Problem, ProblemKind, kinds};
use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use recount_core::Position;
use serde::Serialize;

use recount_writer::{Accepted, Outcome, Refusal, SubmissionOutcome, SubmitError};

static POSITION: HeaderName = HeaderName::from_static("recount-position");

/// `Retry-After` of a full inbox: roughly the time that its writer needs to empty it.
const BUSY_RETRY_SECONDS: u64 = 1;
/// `Retry-After` while the store cannot be reached.
const UNAVAILABLE_RETRY_SECONDS: u64 = 2;

/// A log that does not exist, for domains that have no word of their own for it.
pub static LOG_UNKNOWN: ProblemKind = ProblemKind {
    code: "log-unknown",
    status: 404,
    title: "Log not found",
    advice: "Check the name of the log, or create it first.",
};

/// The problems of this module, for the pages of the process.
pub static PROBLEMS: &[&ProblemKind] = &[&LOG_UNKNOWN];

/// The problems that only the domain can name.
#[derive(Debug)]
pub struct ProblemCatalogue {
    /// The kinds of its rejections.
    pub rejections: &'static [&'static ProblemKind],
    /// The kind of a submission to a log that does not exist, such as [`LOG_UNKNOWN`].
    pub log_unknown: &'static ProblemKind,
    /// The detail of the same.
    pub log_unknown_detail: &'static str,
}

/// The outcomes of a batch, in the order of its commands.
#[derive(Debug, Serialize)]
struct BatchAnswer {
    /// The head of the log once the last command was decided.
    position: Position,
    outcomes: Vec<OutcomeAnswer>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum OutcomeAnswer {
    Accepted(Accepted),
    Rejected(Problem),
}

/// The answer to a single command; `accepted` is the status if it was accepted.
pub(super) fn single(
    outcome: SubmissionOutcome,
    accepted: StatusCode,
    catalogue: &ProblemCatalogue,
) -> Response {
    let position = outcome.position;
    match outcome.outcomes.into_iter().next() {
        Some(Outcome::Accepted(answer)) => with_position(position, (accepted, Json(answer))),
        Some(Outcome::Rejected(refusal)) => with_position(position, rejection(refusal, catalogue)),
        None => Problem::new(&kinds::INTERNAL, "The command has no outcome.").into_response(),
    }
}

/// The answer to a batch.
pub(super) fn batch(outcome: SubmissionOutcome, catalogue: &ProblemCatalogue) -> Response {
    let SubmissionOutcome { position, mut outcomes, failed } = outcome;
    if let (Some(index), Some(Outcome::Rejected(refusal))) = (failed, outcomes.pop_if(|_| failed.is_some())) {
        return with_position(position, rejection(refusal, catalogue).with("failed_command", index));
    }
    let outcomes = outcomes.into_iter().map(|outcome| match outcome {
        Outcome::Accepted(accepted) => OutcomeAnswer::Accepted(accepted),
        Outcome::Rejected(refusal) => OutcomeAnswer::Rejected(rejection(refusal, catalogue)),
    });
    with_position(position, Json(BatchAnswer { position, outcomes: outcomes.collect() }))
}

/// Whether the first command emitted events. A command whose effect already holds is accepted and emits none.
pub fn emitted_events(outcome: &SubmissionOutcome) -> bool {
    matches!(outcome.outcomes.first(), Some(Outcome::Accepted(accepted)) if !accepted.events.is_empty())
}

/// The problem of a submission that has no outcome.
pub(super) fn submit_problem(error: &SubmitError, catalogue: &ProblemCatalogue) -> Problem {
    let unavailable = |kind, detail: &'static str| {
        Problem::new(kind, detail).retry_after_seconds(UNAVAILABLE_RETRY_SECONDS)
    };
    match error {
        SubmitError::LogUnknown => Problem::new(catalogue.log_unknown, catalogue.log_unknown_detail),
        SubmitError::Busy => Problem::new(&kinds::BUSY, "Too many commands are waiting. Nothing was done.")
            .retry_after_seconds(BUSY_RETRY_SECONDS),
        SubmitError::KeyReused => {
            let detail = "This Idempotency-Key was used for another request. Nothing was done.";
            Problem::new(&kinds::IDEMPOTENCY_KEY_REUSED, detail)
        }
        SubmitError::Unavailable => {
            unavailable(&kinds::STORE_UNAVAILABLE, "The event store cannot be reached. Nothing was done.")
        }
        SubmitError::ClockAhead => unavailable(
            &kinds::STORE_UNAVAILABLE,
            "The clock of this service is ahead of the event store's. Nothing was done.",
        ),
        SubmitError::ShuttingDown => {
            unavailable(&kinds::STORE_UNAVAILABLE, "The service is shutting down. Nothing was done.")
        }
        SubmitError::OutcomeUnknown => unavailable(
            &kinds::OUTCOME_UNKNOWN,
            "The connection to the event store was lost during the commit. The command may or may not have been \
             recorded.",
        ),
        SubmitError::Internal => Problem::new(&kinds::INTERNAL, "The command could not be processed."),
    }
}

fn rejection(refusal: Refusal, catalogue: &ProblemCatalogue) -> Problem {
    let mut known = catalogue.rejections.iter().chain([&catalogue.log_unknown]).copied();
    let kind = known.find(|kind| kind.code == refusal.code);
    // A recorded rejection may have a code that a later version dropped.
    let mut problem = Problem::new(kind.unwrap_or(&kinds::REJECTED), refusal.detail);
    for (member, value) in refusal.details {
        problem = problem.with(member, value);
    }
    problem
}

fn with_position(position: Position, response: impl IntoResponse) -> Response {
    let mut response = response.into_response();
    response.headers_mut().insert(POSITION.clone(), HeaderValue::from(position.0));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    static SOLD_OUT: ProblemKind =
        ProblemKind { code: "sold-out", status: 409, title: "Sold out", advice: "Come another day." };
    static NO_SUCH_SHOW: ProblemKind =
        ProblemKind { code: "no-such-show", status: 404, title: "No such show", advice: "Check its name." };
    static CATALOGUE: ProblemCatalogue = ProblemCatalogue {
        rejections: &[&SOLD_OUT],
        log_unknown: &NO_SUCH_SHOW,
        log_unknown_detail: "There is no such show.",
    };

    fn refusal(code: &str) -> Refusal {
        let details = [("seats".to_owned(), "0".into())].into_iter().collect();
        Refusal { code: code.to_owned(), detail: "No.".to_owned(), details }
    }

    #[test]
    fn a_rejection_is_the_problem_that_the_catalogue_has_for_its_code() {
        for (code, status) in [("sold-out", 409), ("no-such-show", 404)] {
            let body = rejection(refusal(code), &CATALOGUE).body_json();
            assert_eq!((&body["code"], &body["status"]), (&code.into(), &status.into()));
            assert_eq!((&body["detail"], &body["seats"]), (&"No.".into(), &"0".into()));
        }
        let dropped = rejection(refusal("dropped-by-a-later-version"), &CATALOGUE);
        assert_eq!(dropped.kind(), &kinds::REJECTED);
    }

    #[test]
    fn the_domain_names_the_problem_of_a_log_that_does_not_exist() {
        let problem = submit_problem(&SubmitError::LogUnknown, &CATALOGUE);
        assert_eq!((problem.kind(), problem.detail()), (&NO_SUCH_SHOW, "There is no such show."));
    }

    #[test]
    fn every_answer_that_was_decided_has_the_position_in_a_header() {
        let outcome = |outcomes, failed| SubmissionOutcome { position: Position(7), outcomes, failed };
        let rejected = || vec![Outcome::Rejected(refusal("sold-out"))];
        for (answer, status) in [
            (single(outcome(rejected(), None), StatusCode::OK, &CATALOGUE), 409),
            (batch(outcome(rejected(), None), &CATALOGUE), 200),
            (batch(outcome(rejected(), Some(2)), &CATALOGUE), 409),
        ] {
            assert_eq!(answer.status(), status);
            assert_eq!(answer.headers()[&POSITION], "7");
        }
    }
}
