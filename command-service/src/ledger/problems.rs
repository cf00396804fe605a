//! The problems that the operations document. The rejections stand at the operations: their codes are many, and have a
//! schema of their own.

use std::collections::BTreeMap;

use recount_service_kit::problem::{ProblemKind, kinds, responses};
use utoipa::IntoResponses;
use utoipa::openapi::RefOr;
use utoipa::openapi::response::Response;

/// What every operation can meet.
const COMMON: [&ProblemKind; 6] = [
    &kinds::INVALID_REQUEST,
    &kinds::KEY_MISSING,
    &kinds::KEY_INVALID,
    &kinds::INTERNAL,
    &kinds::STORE_UNAVAILABLE,
    &kinds::REQUEST_TIMEOUT,
];

/// What everything can meet that is submitted.
const SUBMITTED: [&ProblemKind; 3] = [&kinds::IDEMPOTENCY_KEY_INVALID, &kinds::BUSY, &kinds::OUTCOME_UNKNOWN];

/// What everything can meet that has a body.
const WITH_BODY: [&ProblemKind; 4] =
    [&kinds::MALFORMED_JSON, &kinds::LEDGER_UNKNOWN, &kinds::BODY_TOO_LARGE, &kinds::UNSUPPORTED_MEDIA_TYPE];

/// The creation of a ledger.
pub(super) struct OfCreation;

impl IntoResponses for OfCreation {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        of(&[&SUBMITTED, &[&kinds::IDEMPOTENCY_KEY_REUSED]])
    }
}

/// Commands and batches of them, but for rejections.
pub(super) struct OfCommands;

impl IntoResponses for OfCommands {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        of(&[&WITH_BODY, &SUBMITTED])
    }
}

/// The log.
pub(super) struct OfEvents;

impl IntoResponses for OfEvents {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        of(&[&[&kinds::LEDGER_UNKNOWN]])
    }
}

fn of(more: &[&[&'static ProblemKind]]) -> BTreeMap<String, RefOr<Response>> {
    let kinds: Vec<&'static ProblemKind> =
        COMMON.iter().chain(more.iter().copied().flatten()).copied().collect();
    responses(&kinds)
}
