//! The common catalogue: it maps the failures that any service can have to HTTP statuses.
//!
//! A domain has a catalogue of its own, and passes it to the HTTP stack for the pages of its codes.

use super::ProblemKind;

macro_rules! catalogue {
    ($($name:ident = $status:literal $code:literal $title:literal $advice:literal)*) => {
        $(pub static $name: ProblemKind = ProblemKind {
            code: $code,
            status: $status,
            title: $title,
            advice: $advice,
        };)*

        /// All common kinds, ordered by status.
        pub fn all() -> &'static [&'static ProblemKind] {
            static ALL: &[&ProblemKind] = &[$(&$name),*];
            ALL
        }
    };
}

catalogue! {
    MALFORMED_JSON = 400 "malformed-json"
        "The body is not valid JSON"
        "Send well-formed JSON in UTF-8. The detail gives the line and the column of the error."
    INVALID_REQUEST = 400 "invalid-request"
        "The request is not valid"
        "Correct what the detail names: `pointer` is the place in the body, `parameter` the query parameter, and `header` \
         the header. The OpenAPI document describes every request."
    INVALID_CURSOR = 400 "invalid-cursor"
        "The cursor is not valid for this list"
        "Send a cursor unchanged and with the filters of the request that returned it, or start again without a cursor."
    IDEMPOTENCY_KEY_INVALID = 400 "idempotency-key-invalid"
        "The idempotency key is not valid"
        "Send one Idempotency-Key header with 1 to 255 printable ASCII characters, for example a random UUID."
    KEY_MISSING = 401 "key-missing"
        "An API key is required"
        "Send `Authorization: Bearer rk_…` with a key from `recount keys create`."
    KEY_INVALID = 401 "key-invalid"
        "The API key is not valid"
        "Check that the key is complete and has not been revoked; `recount keys list` shows the valid ones."
    NOT_FOUND = 404 "not-found"
        "There is nothing at this address"
        "Check the path; the OpenAPI document lists all paths."
    UNKNOWN_COMMAND = 404 "unknown-command"
        "There is no such command"
        "Check the name of the command; the OpenAPI document lists all commands."
    METHOD_NOT_ALLOWED = 405 "method-not-allowed"
        "The address does not support this method"
        "Use one of the methods in the Allow header."
    BODY_TOO_LARGE = 413 "body-too-large"
        "The request body is too large"
        "Send smaller requests, for example smaller batches."
    UNSUPPORTED_MEDIA_TYPE = 415 "unsupported-media-type"
        "The media type of the body is not supported"
        "Send JSON with `Content-Type: application/json`."
    IDEMPOTENCY_KEY_REUSED = 422 "idempotency-key-reused"
        "The idempotency key was used for another request"
        "Use a new key for a new request; repeat a request with exactly the same body."
    REJECTED = 422 "rejected"
        "The command was rejected"
        "The detail gives the reason. An earlier version recorded it with a code that no longer exists."
    INTERNAL = 500 "internal"
        "Internal error"
        "Tell the operator the id of the request (header x-request-id). A command may be repeated with the same \
         Idempotency-Key."
    BUSY = 503 "busy"
        "The service is overloaded"
        "Nothing was done. Repeat the request after the time in Retry-After."
    STORE_UNAVAILABLE = 503 "store-unavailable"
        "The database is unavailable"
        "Nothing was done. Repeat the request after the time in Retry-After."
    READ_MODELS_REBUILDING = 503 "read-models-rebuilding"
        "The read models are being rebuilt"
        "Repeat the request after the time in Retry-After; `events_applied` of `events` shows the progress. Commands are \
         accepted meanwhile."
    OUTCOME_UNKNOWN = 503 "outcome-unknown"
        "The command may or may not have been recorded"
        "Repeat the command with the same Idempotency-Key: it is recorded exactly once."
    POSITION_NOT_REACHED = 503 "position-not-reached"
        "The read model has not reached the requested position"
        "Repeat the request after the time in Retry-After, wait longer with `Prefer: wait=SECONDS`, or omit \
         Recount-At-Least to read the current state; `position` is the position of the read model."
    REQUEST_TIMEOUT = 503 "request-timeout"
        "The request timed out"
        "Repeat the request. Repeat a command with the same Idempotency-Key: it may have been recorded."
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_code_is_kebab_case_and_used_once() {
        let mut seen = HashSet::new();
        for kind in all() {
            let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
            assert!(kind.code.split('-').all(is_word), "{}", kind.code);
            assert!(seen.insert(kind.code), "{} is used twice", kind.code);
        }
    }

    #[test]
    fn every_kind_has_an_error_status_a_title_and_advice() {
        for kind in all() {
            assert!((400..600).contains(&kind.status), "{}", kind.code);
            assert!(!kind.title.is_empty() && !kind.title.ends_with('.'), "{}", kind.code);
            assert!(kind.advice.ends_with('.'), "{}", kind.code);
        }
    }
}
