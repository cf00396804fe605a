//! The handlers of the command API: from a request to a submission, from its outcome to an answer.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use recount_domain::Command;
use recount_service_kit::http::{JsonBody, Path, Query};
use recount_service_kit::identity::Identity;
use recount_service_kit::problem::{Problem, kinds};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use super::answers;
use super::parse;
use super::state::{LedgerState, ledger_name, store_problem};
use super::wire::CommandKind;
use crate::engine::{IdempotencyKey, Submission};

/// The longest idempotency key: room for a few ids, too short for a document.
const KEY_LEN_MAX: usize = 255;
/// `version-trace-parent-flags`, all hexadecimal.
const TRACEPARENT_LEN: usize = 55;

/// Who asks, under which key and in which trace.
#[derive(Debug)]
pub(super) struct Caller {
    identity: Identity,
    key: Option<String>,
    traceparent: Option<String>,
}

impl<S: Send + Sync> axum::extract::FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, _: &S) -> Result<Caller, Problem> {
        let identity = parts.extensions.get::<Identity>().cloned();
        Ok(Caller {
            identity: identity.ok_or_else(|| Problem::new(&kinds::KEY_MISSING, "The request has no key."))?,
            key: idempotency_key(&parts.headers)?,
            traceparent: traceparent(&parts.headers),
        })
    }
}

/// The idempotency key: a structured-field string in quotes, or bare as many clients send it.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let invalid = || {
        let detail =
            format!("An Idempotency-Key is 1 to {KEY_LEN_MAX} visible ASCII characters, in quotes or bare.");
        Problem::new(&kinds::IDEMPOTENCY_KEY_INVALID, detail)
    };
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(invalid());
    }
    let text = value.to_str().map_err(|_| invalid())?.trim();
    let key = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    if (1..=KEY_LEN_MAX).contains(&key.len()) && key.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        Ok(Some(key.to_owned()))
    } else {
        Err(invalid())
    }
}

/// The trace that the request belongs to, if it says so in the form of W3C Trace Context.
fn traceparent(headers: &HeaderMap) -> Option<String> {
    let text = headers.get("traceparent")?.to_str().ok()?;
    let of_form =
        text.len() == TRACEPARENT_LEN && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    of_form.then(|| text.to_owned())
}

/// What stands beside every event that the caller brings about.
#[derive(Serialize)]
struct Meta<'a> {
    actor: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<&'a str>,
}

impl Caller {
    fn meta(&self) -> Arc<str> {
        let meta = Meta { actor: &self.identity.key_id, traceparent: self.traceparent.as_deref() };
        serde_json::to_string(&meta).expect("two strings are JSON").into()
    }

    fn submission(&self, commands: Vec<Command>, atomic: bool, request: &[&[u8]]) -> Submission<Command> {
        let key = self.key.as_deref().map(|key| IdempotencyKey::new(key, request));
        // What a command takes in memory beside its text.
        const COMMAND_OVERHEAD_BYTES: usize = 512;
        let bytes =
            request.iter().map(|part| part.len()).sum::<usize>() + commands.len() * COMMAND_OVERHEAD_BYTES;
        Submission { commands, atomic, dry_run: false, key, meta: self.meta(), bytes }
    }
}

/// Creates a ledger. Repeating it changes nothing.
#[utoipa::path(
    put, path = "/v1/ledgers/{ledger}", tag = "ledgers",
    params(("ledger" = String, Path, description = "1 to 63 letters, digits, `-`, `_` and `.`")),
    responses(
        (status = 201, description = "It was created", body = answers::AcceptedBody),
        (status = 200, description = "It was there already", body = answers::AcceptedBody),
        (status = 400, description = "The name is not a ledger name", body = Problem),
        (status = 401, description = "The key is missing or wrong", body = Problem),
        (status = 503, description = "Try again", body = Problem),
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
    let submission = caller.submission(vec![Command::CreateLedger { ledger }], false, &[b"create-ledger"]);
    let outcome = state.engine.submit(log.key(), submission).await?;
    let created = matches!(outcome.outcomes.first(), Some(crate::engine::Outcome::Accepted(it)) if !it.events.is_empty());
    Ok(answers::single(outcome, if created { StatusCode::CREATED } else { StatusCode::OK }))
}

/// Submits one command of a known kind.
pub(super) async fn submit(
    state: LedgerState,
    ledger: String,
    caller: Caller,
    kind: CommandKind,
    body: Bytes,
) -> Result<Response, Problem> {
    let log = ledger_name(&ledger)?;
    let command = parse::command(kind, &body, "")?;
    let submission = caller.submission(vec![command], false, &[kind.as_str().as_bytes(), &body]);
    let outcome = state.engine.submit(log.key(), submission).await?;
    Ok(answers::single(outcome, StatusCode::OK))
}

/// A parameter that is not understood must not be passed over: it may have been meant to hold the command back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoParameters {}

macro_rules! command_handlers {
    ($($(#[$doc:meta])* $function:ident: $kind:ident, $path:literal, $data:ty;)*) => {
        $(
            $(#[$doc])*
            #[utoipa::path(
                post, path = $path, tag = "commands", request_body = $data,
                params(
                    ("ledger" = String, Path, description = "The ledger's name"),
                    ("Idempotency-Key" = Option<String>, Header, description =
                        "Makes the command safe to repeat: its outcome, accepted or rejected, is recorded under the key. \
                        A key stands for one request in a ledger, whoever sends it"),
                ),
                responses(
                    (status = 200, description = "Accepted, and durable", body = answers::AcceptedBody),
                    (status = 400, description = "The request is malformed; `pointer` says where", body = Problem),
                    (status = 401, description = "The key is missing or wrong", body = Problem),
                    (status = 404, description = "There is no such ledger", body = Problem),
                    (status = 409, description = "Rejected: it collides with what is there", body = Problem),
                    (status = 413, description = "The body is too large", body = Problem),
                    (status = 415, description = "The body is not JSON", body = Problem),
                    (status = 422, description = "Rejected by the ledger, or the Idempotency-Key was used for another request",
                        body = Problem),
                    (status = 503, description = "Try again", body = Problem),
                )
            )]
            pub(super) async fn $function(
                State(state): State<LedgerState>,
                Path(ledger): Path<String>,
                Query(NoParameters {}): Query<NoParameters>,
                caller: Caller,
                JsonBody(body): JsonBody,
            ) -> Result<Response, Problem> {
                submit(state, ledger, caller, CommandKind::$kind, body).await
            }
        )*
    };
}

command_handlers! {
    /// Registers an asset.
    register_asset: RegisterAsset, "/v1/ledgers/{ledger}/commands/register-asset", super::wire::RegisterAssetData;
    /// Opens an account.
    open_account: OpenAccount, "/v1/ledgers/{ledger}/commands/open-account", super::wire::OpenAccountData;
    /// Freezes an account.
    freeze_account: FreezeAccount, "/v1/ledgers/{ledger}/commands/freeze-account", super::wire::FreezeData;
    /// Unfreezes an account.
    unfreeze_account: UnfreezeAccount, "/v1/ledgers/{ledger}/commands/unfreeze-account", super::wire::FreezeData;
    /// Closes an account.
    close_account: CloseAccount, "/v1/ledgers/{ledger}/commands/close-account", super::wire::CloseAccountData;
    /// Sets an account's overdraft.
    set_overdraft_policy: SetOverdraftPolicy, "/v1/ledgers/{ledger}/commands/set-overdraft-policy",
        super::wire::SetOverdraftPolicyData;
    /// Posts a transaction.
    post_transaction: PostTransaction, "/v1/ledgers/{ledger}/commands/post-transaction",
        super::wire::PostTransactionData;
    /// Reverses a transaction.
    reverse_transaction: ReverseTransaction, "/v1/ledgers/{ledger}/commands/reverse-transaction",
        super::wire::ReverseTransactionData;
}

/// Answers for every command that is not there.
pub(super) async fn unknown_command(Path((_, command)): Path<(String, String)>) -> Problem {
    Problem::new(&kinds::UNKNOWN_COMMAND, super::sentence(&parse::no_such_command(&command)))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct BatchQuery {
    /// `true`: all or nothing; the answer names the command that failed. `false`, the default: each for itself.
    #[serde(default)]
    atomic: bool,
}

/// One command of a batch.
#[derive(Debug, utoipa::ToSchema)]
#[expect(
    dead_code,
    reason = "it documents the items of a batch, which are read as raw JSON to name the place of an error"
)]
pub(super) struct BatchItemBody {
    command: CommandKind,
    /// The data of the command, as for a command of its own.
    #[schema(value_type = Object)]
    data: serde_json::Value,
}

/// Submits up to 1,000 commands, decided one after another and committed together.
#[utoipa::path(
    post, path = "/v1/ledgers/{ledger}/commands", tag = "commands", request_body = Vec<BatchItemBody>,
    params(
        ("ledger" = String, Path, description = "The ledger's name"), BatchQuery,
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the whole batch safe to repeat"),
    ),
    responses(
        (status = 200, description = "Decided, and durable: an outcome for each command", body = answers::BatchBody),
        (status = 400, description = "The request is malformed; `pointer` says where", body = Problem),
        (status = 401, description = "The key is missing or wrong", body = Problem),
        (status = 404, description = "There is no such ledger", body = Problem),
        (status = 409, description = "Atomic, and `failed_command` collides with what is there", body = Problem),
        (status = 413, description = "The body is too large", body = Problem),
        (status = 415, description = "The body is not JSON", body = Problem),
        (status = 422, description = "Atomic, and `failed_command` was rejected; or the Idempotency-Key was used for \
            another request", body = Problem),
        (status = 503, description = "Try again", body = Problem),
    )
)]
pub(super) async fn submit_batch(
    State(state): State<LedgerState>,
    Path(ledger): Path<String>,
    Query(BatchQuery { atomic }): Query<BatchQuery>,
    caller: Caller,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    let log = ledger_name(&ledger)?;
    let commands = parse::batch(&body)?;
    let mode: &[u8] = if atomic { b"atomic" } else { b"independent" };
    let submission = caller.submission(commands, atomic, &[b"batch", mode, &body]);
    let outcome = state.engine.submit(log.key(), submission).await?;
    Ok(answers::batch(outcome))
}
