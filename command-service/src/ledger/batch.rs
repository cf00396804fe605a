//! The handler of batches.

use axum::extract::State;
use axum::response::Response;
use recount_service_kit::http::{JsonBody, Path, Query};
use recount_service_kit::problem::Problem;
use serde::Deserialize;
use utoipa::IntoParams;

use super::bodies;
use super::commands::CommandKind;
use super::ledger_name::ledger_name;
use super::problems::CommandProblems;
use super::state::LedgerState;
use recount_service_kit::commands::{Caller, SubmitOptions, read_batch};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct BatchQuery {
    /// `true`: all or nothing; if a command is rejected, the answer is its rejection and `failed_command` its index.
    /// `false`, the default: each command on its own.
    #[serde(default)]
    atomic: bool,
    /// `true`: a dry run. The answer shows the events and the balances before and after, or the rejection, and nothing
    /// is changed.
    #[serde(default)]
    dry_run: bool,
}

/// Submits up to 1,000 commands, decided one after another and committed together.
#[utoipa::path(
    post, path = "/v1/ledgers/{ledger}/commands", tag = "commands", request_body = Vec<bodies::BatchItemBody>,
    params(
        ("ledger" = String, Path, description = "The ledger's name"), BatchQuery,
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the whole batch safe to repeat"),
    ),
    responses(
        (status = 200, description = "Decided, and durable: an outcome for each command", body = bodies::BatchBody,
            headers(("Recount-Position" = i64, description =
                "The ledger's position once the last command was decided"))),
        (status = 409, description = "Atomic, and `failed_command` conflicts with the state of the ledger",
            body = Problem, content_type = "application/problem+json",
            headers(("Recount-Position" = i64, description = "The ledger's position once the command was decided"))),
        (status = 422, description = "Atomic, and `failed_command` was rejected by a rule of the ledger; or the \
            Idempotency-Key was used for another request (`idempotency-key-reused`), and there is no Recount-Position",
            body = Problem, content_type = "application/problem+json",
            headers(("Recount-Position" = Option<i64>, description =
                "The ledger's position once the command was decided"))),
        CommandProblems,
    )
)]
pub(super) async fn submit_batch(
    State(state): State<LedgerState>,
    Path(ledger): Path<String>,
    Query(BatchQuery { atomic, dry_run }): Query<BatchQuery>,
    caller: Caller,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    let log = ledger_name(&ledger)?;
    let commands = read_batch::<CommandKind>(&body)?;
    let endpoint = state.endpoint();
    let options = SubmitOptions { atomic, dry_run };
    let mode: &[u8] = if atomic { b"atomic" } else { b"independent" };
    let outcome = endpoint.submit(&log, &caller, commands, options, &[b"batch", mode, &body]).await?;
    Ok(endpoint.answer_batch(outcome))
}
