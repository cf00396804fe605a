//! From outcomes to HTTP answers.

use std::sync::LazyLock;

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use recount_core::Position;
use recount_domain::RejectionCode;
use recount_service_kit::problem::{Problem, ProblemKind, kinds};
use serde::Serialize;
use utoipa::ToSchema;

use recount_writer::{Accepted, Outcome, Refusal, SubmissionOutcome, SubmitError};

static POSITION: HeaderName = HeaderName::from_static("recount-position");

/// How long a caller shall wait after "busy": about what a full inbox takes to be worked off.
const BUSY_SECONDS: u64 = 1;
/// The same while the store is away.
const UNAVAILABLE_SECONDS: u64 = 2;

/// A command that was accepted. The ids that the command concerned stand beside `position` and `events`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AcceptedBody {
    /// The ledger's position once the command was decided: send it as `Recount-At-Least` with a query that has to
    /// show what the command did.
    #[schema(example = 7)]
    position: i64,
    /// What happened, or would have happened; empty if it was so already.
    events: Vec<EventSummary>,
    /// `true`: nothing was changed, this is what would happen.
    dry_run: Option<bool>,
    /// Of a dry run, the balances that would change.
    balances: Option<Vec<BalanceChangeBody>>,
    /// The transaction that was posted, for commands that post one; chosen by the client or made by the service.
    #[schema(example = "order-1001")]
    transaction: Option<String>,
    /// The account that the command concerned, for commands on accounts.
    account: Option<String>,
    /// The hold that was placed, captured, released or expired; chosen by the client or made by the service.
    hold: Option<String>,
    /// The customer that the command concerned, for commands on customers.
    customer: Option<String>,
    /// The asset that was registered.
    asset: Option<String>,
    /// The ledger that was created.
    ledger: Option<String>,
}

/// An event that a command brought about, or would.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventSummary {
    /// Missing in a dry run.
    #[schema(example = 7)]
    position: Option<i64>,
    /// Missing in a dry run.
    id: Option<uuid::Uuid>,
    #[serde(rename = "type")]
    #[schema(example = "transaction-posted")]
    event_type: String,
    /// Of a dry run, the version of the event's shape.
    version: Option<i16>,
    /// Of a dry run, the event as it would be recorded.
    #[schema(value_type = Option<Object>)]
    data: Option<serde_json::Value>,
}

/// A balance that a dry run would change. Amounts are minor units on the account's normal side.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BalanceChangeBody {
    #[schema(example = "users:alice:main")]
    account: String,
    #[schema(example = "USD/2")]
    asset: String,
    before: FiguresBody,
    after: FiguresBody,
}

/// The figures of a balance.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FiguresBody {
    /// What was posted.
    #[schema(example = "10000")]
    posted: String,
    /// What open holds would take away.
    #[schema(example = "3000")]
    held: String,
    /// What open holds would bring in; it is not available.
    #[schema(example = "0")]
    incoming: String,
    /// What is posted less what is held.
    #[schema(example = "7000")]
    available: String,
}

/// What became of the commands of a batch, in their order.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BatchBody {
    /// The ledger's position once the last of them was decided.
    position: i64,
    outcomes: Vec<OutcomeBody>,
}

/// What became of one command of a batch.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum OutcomeBody {
    #[schema(value_type = AcceptedBody)]
    Accepted(AcceptedJson),
    Rejected(Problem),
}

/// What stands in an [`AcceptedBody`], whatever the domain answered.
pub(super) type AcceptedJson = Accepted;

static REJECTIONS: LazyLock<Vec<ProblemKind>> = LazyLock::new(|| {
    // A ledger that was not created is the same problem whoever finds out.
    let codes = RejectionCode::ALL.iter().filter(|code| code.code != kinds::LEDGER_UNKNOWN.code);
    codes.map(kind_of).collect()
});

/// The problem kinds of the ledger's rejections, in the order of their precedence.
pub fn catalogue() -> &'static [&'static ProblemKind] {
    static CATALOGUE: LazyLock<Vec<&'static ProblemKind>> = LazyLock::new(|| REJECTIONS.iter().collect());
    &CATALOGUE
}

fn kind_of(code: &RejectionCode) -> ProblemKind {
    let status = if code.conflict { 409 } else { 422 };
    let title = code.meaning.strip_suffix('.').unwrap_or(code.meaning);
    ProblemKind { code: code.code, status, title, advice: code.advice }
}

fn rejection(refusal: Refusal) -> Problem {
    let known = catalogue().iter().chain(kinds::all()).find(|kind| kind.code == refusal.code);
    // A recorded rejection may have a code that a later version gave up.
    let mut problem = Problem::new(known.copied().unwrap_or(&kinds::REJECTED), refusal.detail);
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

/// The answer to a single command.
pub(super) fn single(outcome: SubmissionOutcome, status: StatusCode) -> Response {
    let position = outcome.position;
    match outcome.outcomes.into_iter().next() {
        Some(Outcome::Accepted(accepted)) => with_position(position, (status, Json(accepted))),
        Some(Outcome::Rejected(refusal)) => with_position(position, rejection(refusal)),
        None => Problem::new(&kinds::INTERNAL, "The command has no outcome.").into_response(),
    }
}

/// The answer to a batch.
pub(super) fn batch(outcome: SubmissionOutcome) -> Response {
    let SubmissionOutcome { position, mut outcomes, failed } = outcome;
    if let (Some(index), Some(Outcome::Rejected(refusal))) = (failed, outcomes.pop_if(|_| failed.is_some())) {
        return with_position(position, rejection(refusal).with("failed_command", index));
    }
    let outcomes = outcomes.into_iter().map(|outcome| match outcome {
        Outcome::Accepted(accepted) => OutcomeBody::Accepted(accepted),
        Outcome::Rejected(refusal) => OutcomeBody::Rejected(rejection(refusal)),
    });
    with_position(position, Json(BatchBody { position: position.0, outcomes: outcomes.collect() }))
}

/// Why there is no outcome, as a problem.
pub(super) fn submit_problem(error: SubmitError) -> Problem {
    match error {
            SubmitError::LogUnknown => {
                Problem::new(&kinds::LEDGER_UNKNOWN, "There is no such ledger. Create it with PUT /v1/ledgers/{ledger}.")
            }
            SubmitError::Busy => {
                let detail = "Too many commands are waiting for this ledger. Nothing was done.";
                Problem::new(&kinds::BUSY, detail).retry_after_seconds(BUSY_SECONDS)
            }
            SubmitError::KeyReused => Problem::new(
                &kinds::IDEMPOTENCY_KEY_REUSED,
                "This Idempotency-Key was used for another request. Nothing was done.",
            ),
            SubmitError::Unavailable => {
                Problem::new(&kinds::STORE_UNAVAILABLE, "The event store cannot be reached. Nothing was done.")
                    .retry_after_seconds(UNAVAILABLE_SECONDS)
            }
            SubmitError::ShuttingDown => {
                Problem::new(&kinds::STORE_UNAVAILABLE, "The service is shutting down. Nothing was done.")
                    .retry_after_seconds(UNAVAILABLE_SECONDS)
            }
            SubmitError::OutcomeUnknown => Problem::new(
                &kinds::OUTCOME_UNKNOWN,
                "The event store was lost while the command was being committed. It may or may not have been recorded.",
            )
            .retry_after_seconds(UNAVAILABLE_SECONDS),
            SubmitError::Internal => Problem::new(&kinds::INTERNAL, "The command could not be processed."),
        }
}
