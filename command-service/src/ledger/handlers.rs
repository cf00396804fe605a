//! The handlers of the command API, but for batches: from a request to a submission, from its outcome to an answer.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use recount_domain::Command;
use recount_service_kit::http::{NoParameters, Path, Query};
use recount_service_kit::problem::Problem;
use serde::Deserialize;
use utoipa::IntoParams;

use super::bodies;
use super::commands::CommandKind;
use super::ledger_name::ledger_name;
use super::problems::CreateLedgerProblems;
use super::state::LedgerState;
use recount_service_kit::commands::{self as endpoint, Caller, SubmitOptions, emitted_events, store_problem};

/// Creates a ledger. Repeating the request changes nothing.
#[utoipa::path(
    put, path = "/v1/ledgers/{ledger}", tag = "ledgers",
    params(
        ("ledger" = String, Path, description = "1 to 63 letters, digits, `-`, `_` and `.`"),
        ("Idempotency-Key" = Option<String>, Header, description =
            "Not needed here. A key that was used for another request in the ledger is refused"),
    ),
    responses(
        (status = 201, description = "The ledger was created", body = bodies::AcceptedBody,
            headers(("Recount-Position" = i64, description = "The ledger's position"))),
        (status = 200, description = "The ledger already exists", body = bodies::AcceptedBody,
            headers(("Recount-Position" = i64, description = "The ledger's position"))),
        CreateLedgerProblems,
    )
)]
pub(super) async fn create_ledger(
    State(state): State<LedgerState>,
    Path(ledger): Path<String>,
    Query(NoParameters {}): Query<NoParameters>,
    caller: Caller,
) -> Result<Response, Problem> {
    let log = ledger_name(&ledger)?;
    state.engine.create_log(&log).await.map_err(store_problem)?;
    let endpoint = state.endpoint();
    let command = Command::CreateLedger { ledger }.into();
    let options = SubmitOptions::default();
    let outcome = endpoint.submit(&log, &caller, vec![command], options, &[b"create-ledger"]).await?;
    let status = if emitted_events(&outcome) { StatusCode::CREATED } else { StatusCode::OK };
    Ok(endpoint.answer_single(outcome, status))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct CommandQuery {
    /// `true`: a dry run. The answer shows the events and the balances before and after, or the rejection, and nothing
    /// is changed.
    #[serde(default)]
    dry_run: bool,
}

/// Submits one command of a known kind.
pub(super) async fn submit(
    state: LedgerState,
    ledger: String,
    caller: Caller,
    CommandQuery { dry_run }: CommandQuery,
    kind: CommandKind,
    body: Bytes,
) -> Result<Response, Problem> {
    let log = ledger_name(&ledger)?;
    let command = kind.parse(&body, "")?;
    let endpoint = state.endpoint();
    let options = SubmitOptions { atomic: false, dry_run };
    // A dry run is the same request: under a used key it returns the recorded outcome.
    let request = [kind.as_str().as_bytes(), &body];
    let outcome = endpoint.submit(&log, &caller, vec![command], options, &request).await?;
    Ok(endpoint.answer_single(outcome, StatusCode::OK))
}

/// Answers for every command that does not exist.
pub(super) async fn unknown_command(Path((_, command)): Path<(String, String)>) -> Problem {
    endpoint::unknown_command::<CommandKind>(&command)
}
