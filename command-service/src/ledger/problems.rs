//! The problems that each operation documents. Rejections are described at the operations: their codes are many and
//! have a schema of their own.

use std::collections::BTreeMap;

use recount_service_kit::problem::{ProblemKind, kinds, responses};
use utoipa::IntoResponses;
use utoipa::openapi::RefOr;
use utoipa::openapi::response::Response;

/// The query service has the same definition, word for word: both pages are one.
pub(super) static LEDGER_UNKNOWN: ProblemKind = ProblemKind {
    code: "ledger-unknown",
    status: 404,
    title: "There is no such ledger",
    advice: "Check the name of the ledger. If it was created a moment ago, send `Recount-At-Least` with the position \
             that the answer to its creation gave.",
};

/// Problems of every operation.
const COMMON: [&ProblemKind; 6] = [
    &kinds::INVALID_REQUEST,
    &kinds::KEY_MISSING,
    &kinds::KEY_INVALID,
    &kinds::INTERNAL,
    &kinds::STORE_UNAVAILABLE,
    &kinds::REQUEST_TIMEOUT,
];

/// Problems of every submission.
const SUBMITTED: [&ProblemKind; 3] = [&kinds::IDEMPOTENCY_KEY_INVALID, &kinds::BUSY, &kinds::OUTCOME_UNKNOWN];

/// Problems of every request with a body.
const WITH_BODY: [&ProblemKind; 4] =
    [&kinds::MALFORMED_JSON, &LEDGER_UNKNOWN, &kinds::BODY_TOO_LARGE, &kinds::UNSUPPORTED_MEDIA_TYPE];

/// The problems of creating a ledger.
pub(super) struct CreateLedgerProblems;

impl IntoResponses for CreateLedgerProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        documented(&[&SUBMITTED, &[&kinds::IDEMPOTENCY_KEY_REUSED]])
    }
}

/// The problems of commands and batches, except rejections.
pub(super) struct CommandProblems;

impl IntoResponses for CommandProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        documented(&[&WITH_BODY, &SUBMITTED])
    }
}

fn documented(more: &[&[&'static ProblemKind]]) -> BTreeMap<String, RefOr<Response>> {
    let kinds: Vec<&'static ProblemKind> =
        COMMON.iter().chain(more.iter().copied().flatten()).copied().collect();
    responses(&kinds)
}
