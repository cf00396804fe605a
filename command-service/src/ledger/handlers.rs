//! The handlers of the command API: from a request to a submission, from its outcome to an answer.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use recount_domain::{Command, Request};
use recount_service_kit::http::{JsonBody, NoParameters, Path, Query};
use recount_service_kit::identity::Identity;
use recount_service_kit::problem::{Problem, kinds};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answers;
use super::parse;
use super::problems::{OfCommands, OfCreation};
use super::state::{LedgerState, ledger_name, store_problem};
use super::wire::CommandKind;
use recount_writer::{IdempotencyKey, Submission};

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

/// The idempotency key: a string of RFC 8941 in quotes, or the same text bare, as many clients send it.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let invalid = || {
        let detail = format!(
            "An Idempotency-Key is 1 to {KEY_LEN_MAX} printable ASCII characters, in quotes or bare. In quotes, `\"` and \
             `\\` are written with a `\\` before them."
        );
        Problem::new(&kinds::IDEMPOTENCY_KEY_INVALID, detail)
    };
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(invalid());
    }
    let text = value.to_str().map_err(|_| invalid())?.trim();
    let key = match text.strip_prefix('"') {
        Some(quoted) => unquoted(quoted).ok_or_else(invalid)?,
        None => text.to_owned(),
    };
    if (1..=KEY_LEN_MAX).contains(&key.len()) && key.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        Ok(Some(key))
    } else {
        Err(invalid())
    }
}

/// What a string of RFC 8941 stands for, without its first quote; nothing may follow its last one.
fn unquoted(text: &str) -> Option<String> {
    let mut characters = text.strip_suffix('"')?.chars();
    let mut unquoted = String::with_capacity(text.len());
    while let Some(character) = characters.next() {
        match character {
            '"' => return None,
            '\\' => unquoted.push(characters.next().filter(|escaped| matches!(escaped, '"' | '\\'))?),
            other => unquoted.push(other),
        }
    }
    Some(unquoted)
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

    fn submission(&self, commands: Vec<Request>, mode: Mode, request: &[&[u8]]) -> Submission<Request> {
        let Mode { atomic, dry_run } = mode;
        let key = self.key.as_deref().map(|key| IdempotencyKey::new(key, request));
        // What a command takes in memory beside its text.
        const COMMAND_OVERHEAD_BYTES: usize = 512;
        let bytes =
            request.iter().map(|part| part.len()).sum::<usize>() + commands.len() * COMMAND_OVERHEAD_BYTES;
        Submission { commands, atomic, dry_run, key, meta: self.meta(), bytes }
    }
}

/// How a submission is treated.
#[derive(Clone, Copy, Debug, Default)]
struct Mode {
    atomic: bool,
    dry_run: bool,
}

/// Creates a ledger. Repeating it changes nothing.
#[utoipa::path(
    put, path = "/v1/ledgers/{ledger}", tag = "ledgers",
    params(
        ("ledger" = String, Path, description = "1 to 63 letters, digits, `-`, `_` and `.`"),
        ("Idempotency-Key" = Option<String>, Header, description = "Not needed here; a key that was used for another request of the ledger is refused"),
    ),
    responses(
        (status = 201, description = "It was created", body = answers::AcceptedBody,
            headers(("Recount-Position" = i64, description = "The ledger's position"))),
        (status = 200, description = "It was there already", body = answers::AcceptedBody,
            headers(("Recount-Position" = i64, description = "The ledger's position"))),
        OfCreation,
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
    let submission = caller.submission(
        vec![Command::CreateLedger { ledger }.into()],
        Mode::default(),
        &[b"create-ledger"],
    );
    let outcome = state.engine.submit(&log, submission).await.map_err(answers::submit_problem)?;
    let created = matches!(outcome.outcomes.first(), Some(recount_writer::Outcome::Accepted(it)) if !it.events.is_empty());
    Ok(answers::single(outcome, if created { StatusCode::CREATED } else { StatusCode::OK }))
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
    let request = parse::request(kind, &body, "")?;
    let mode = Mode { atomic: false, dry_run };
    // A dry run is the same request: under a key that was used it answers what the real one would be answered.
    let submission = caller.submission(vec![request], mode, &[kind.as_str().as_bytes(), &body]);
    let outcome = state.engine.submit(&log, submission).await.map_err(answers::submit_problem)?;
    Ok(answers::single(outcome, StatusCode::OK))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct CommandQuery {
    /// `true`: answers what would happen, balances before and after included, or why not, and changes nothing.
    #[serde(default)]
    dry_run: bool,
}

macro_rules! command_handlers {
    ($($(#[$doc:meta])* $function:ident: $kind:ident, $path:literal, $data:ty;)*) => {
        $(
            $(#[$doc])*
            #[utoipa::path(
                post, path = $path, tag = "commands", request_body = $data,
                params(
                    ("ledger" = String, Path, description = "The ledger's name"),
                    CommandQuery,
                    ("Idempotency-Key" = Option<String>, Header, description =
                        "Makes the command safe to repeat: its outcome, accepted or rejected, is recorded under the key. \
                        A key stands for one request in a ledger, whoever sends it"),
                ),
                responses(
                    (status = 200, description = "Accepted, and durable", body = answers::AcceptedBody,
                        headers(("Recount-Position" = i64, description = "The ledger's position once it was decided"))),
                    (status = 409, description = "Rejected: it collides with what is there; `code` is a RejectionCode",
                        body = Problem, content_type = "application/problem+json",
                        headers(("Recount-Position" = i64, description = "The ledger's position once it was decided"))),
                    (status = 422, description = "Rejected by a rule of the ledger, and `code` is a RejectionCode; or \
                        the Idempotency-Key was used for another request (`idempotency-key-reused`), and there is no \
                        Recount-Position",
                        body = Problem, content_type = "application/problem+json",
                        headers(("Recount-Position" = Option<i64>, description =
                            "The ledger's position once it was decided"))),
                    OfCommands,
                )
            )]
            pub(super) async fn $function(
                State(state): State<LedgerState>,
                Path(ledger): Path<String>,
                Query(query): Query<CommandQuery>,
                caller: Caller,
                JsonBody(body): JsonBody,
            ) -> Result<Response, Problem> {
                submit(state, ledger, caller, query, CommandKind::$kind, body).await
            }
        )*

        /// The routes of all commands.
        pub(super) fn command_routes() -> OpenApiRouter<LedgerState> {
            OpenApiRouter::new()$(.routes(routes!($function)))*
        }
    };
}

command_handlers! {
    /// Registers an asset.
    register_asset: RegisterAsset, "/v1/ledgers/{ledger}/commands/register-asset", super::wire::RegisterAssetData;
    /// Bounds the effective times that the ledger takes.
    set_effective_window: SetEffectiveWindow, "/v1/ledgers/{ledger}/commands/set-effective-window", super::wire::SetEffectiveWindowData;
    /// Closes a period.
    close_period: ClosePeriod, "/v1/ledgers/{ledger}/commands/close-period", super::wire::ClosePeriodData;
    /// Reopens a period.
    reopen_period: ReopenPeriod, "/v1/ledgers/{ledger}/commands/reopen-period", super::wire::ReopenPeriodData;
    /// Sets the chart of accounts.
    set_chart: SetChart, "/v1/ledgers/{ledger}/commands/set-chart", super::wire::SetChartData;
    /// Removes the chart of accounts.
    remove_chart: RemoveChart, "/v1/ledgers/{ledger}/commands/remove-chart", super::wire::RemoveChartData;
    /// Opens an account.
    open_account: OpenAccount, "/v1/ledgers/{ledger}/commands/open-account", super::wire::OpenAccountData;
    /// Freezes an account.
    freeze_account: FreezeAccount, "/v1/ledgers/{ledger}/commands/freeze-account", super::wire::FreezeData;
    /// Unfreezes an account.
    unfreeze_account: UnfreezeAccount, "/v1/ledgers/{ledger}/commands/unfreeze-account", super::wire::FreezeData;
    /// Closes an account.
    close_account: CloseAccount, "/v1/ledgers/{ledger}/commands/close-account", super::wire::CloseAccountData;
    /// Sets an account's overdraft.
    set_overdraft_policy: SetOverdraftPolicy, "/v1/ledgers/{ledger}/commands/set-overdraft-policy", super::wire::SetOverdraftPolicyData;
    /// Sets an account's minimum and maximum.
    set_balance_limits: SetBalanceLimits, "/v1/ledgers/{ledger}/commands/set-balance-limits", super::wire::SetBalanceLimitsData;
    /// Posts a transaction.
    post_transaction: PostTransaction, "/v1/ledgers/{ledger}/commands/post-transaction", super::wire::PostTransactionData;
    /// Reverses a transaction, wholly or in part.
    reverse_transaction: ReverseTransaction, "/v1/ledgers/{ledger}/commands/reverse-transaction", super::wire::ReverseTransactionData;
    /// Sets value aside.
    hold: Hold, "/v1/ledgers/{ledger}/commands/hold", super::wire::HoldData;
    /// Posts what a hold set aside, wholly or in part.
    capture: Capture, "/v1/ledgers/{ledger}/commands/capture", super::wire::CaptureData;
    /// Gives back what is left of a hold.
    release: Release, "/v1/ledgers/{ledger}/commands/release", super::wire::HoldIdData;
    /// Gives back what is left of a hold whose deadline has passed. The service does so by itself.
    expire: Expire, "/v1/ledgers/{ledger}/commands/expire", super::wire::HoldIdData;
    /// Sets members of the metadata of an account or a transaction.
    set_metadata: SetMetadata, "/v1/ledgers/{ledger}/commands/set-metadata", super::wire::SetMetadataData;
    /// Removes members of the metadata of an account or a transaction.
    remove_metadata: RemoveMetadata, "/v1/ledgers/{ledger}/commands/remove-metadata", super::wire::RemoveMetadataData;
    /// Registers a customer.
    register_customer: RegisterCustomer, "/v1/ledgers/{ledger}/commands/register-customer", super::wire::RegisterCustomerData;
    /// Replaces what is known about a customer.
    update_customer: UpdateCustomer, "/v1/ledgers/{ledger}/commands/update-customer", super::wire::UpdateCustomerData;
    /// Links an account to a customer.
    link_account: LinkAccount, "/v1/ledgers/{ledger}/commands/link-account", super::wire::LinkData;
    /// Takes the link between an account and a customer away.
    unlink_account: UnlinkAccount, "/v1/ledgers/{ledger}/commands/unlink-account", super::wire::LinkData;
    /// Forgets what is known about a customer.
    forget_customer: ForgetCustomer, "/v1/ledgers/{ledger}/commands/forget-customer", super::wire::ForgetCustomerData;
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
    /// `true`: answers what would happen, balances before and after included, or why not, and changes nothing.
    #[serde(default)]
    dry_run: bool,
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
        (status = 200, description = "Decided, and durable: an outcome for each command", body = answers::BatchBody,
            headers(("Recount-Position" = i64, description = "The ledger's position once the last was decided"))),
        (status = 409, description = "Atomic, and `failed_command` collides with what is there",
            body = Problem, content_type = "application/problem+json",
            headers(("Recount-Position" = i64, description = "The ledger's position once it was decided"))),
        (status = 422, description = "Atomic, and `failed_command` was rejected by a rule of the ledger; or the \
            Idempotency-Key was used for another request (`idempotency-key-reused`), and there is no Recount-Position",
            body = Problem, content_type = "application/problem+json",
            headers(("Recount-Position" = Option<i64>, description = "The ledger's position once it was decided"))),
        OfCommands,
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
    let commands = parse::batch(&body)?;
    let named: &[u8] = if atomic { b"atomic" } else { b"independent" };
    let submission = caller.submission(commands, Mode { atomic, dry_run }, &[b"batch", named, &body]);
    let outcome = state.engine.submit(&log, submission).await.map_err(answers::submit_problem)?;
    Ok(answers::batch(outcome))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Result<Option<String>, Problem> {
        let mut headers = HeaderMap::new();
        headers.insert("idempotency-key", text.parse().unwrap());
        idempotency_key(&headers)
    }

    #[test]
    fn an_idempotency_key_is_a_string_in_quotes_or_bare() {
        let longest = "x".repeat(KEY_LEN_MAX);
        for (text, expected) in [
            ("order-1", "order-1"),
            (r#""order-1""#, "order-1"),
            ("order 1", "order 1"),
            (r#"" order 1""#, " order 1"),
            (r#""a\"b\\c""#, r#"a"b\c"#),
            (r#"a"b\c"#, r#"a"b\c"#),
            (&longest, &longest),
            (&format!("\"{longest}\""), &longest),
        ] {
            assert_eq!(key(text).unwrap().as_deref(), Some(expected), "{text}");
        }
        for text in [
            "",
            "\"",
            "\"\"",
            r#""a"#,
            r#""a"b""#,
            r#""a\n""#,
            r#""a\""#,
            r#""a";b"#,
            "a\tb",
            &"x".repeat(256),
        ] {
            assert!(key(text).is_err(), "{text}");
        }
        assert_eq!(idempotency_key(&HeaderMap::new()).unwrap(), None);
    }
}
