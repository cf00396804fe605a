//! The catalogue: the one file that says which failure is which HTTP status.
//!
//! It holds what any service can meet. The rejections of a domain come from that domain's own catalogue, and are
//! given to the HTTP layer for their pages.

use super::ProblemKind;

macro_rules! catalogue {
    ($($name:ident = $status:literal $code:literal $title:literal $advice:literal)*) => {
        $(pub static $name: ProblemKind = ProblemKind {
            code: $code,
            status: $status,
            title: $title,
            advice: $advice,
        };)*

        /// All of them, in the order of their status.
        pub fn all() -> &'static [&'static ProblemKind] {
            static ALL: &[&ProblemKind] = &[$(&$name),*];
            ALL
        }
    };
}

catalogue! {
    MALFORMED_JSON = 400 "malformed-json"
        "The body is not JSON"
        "Send well-formed JSON in UTF-8. The detail says at which line and column it stops being so."
    INVALID_REQUEST = 400 "invalid-request"
        "The request does not have the form that is needed"
        "Correct what the detail names: `pointer` says where in the body it is, `parameter` which query parameter and \
         `header` which header. The OpenAPI document describes every request."
    INVALID_CURSOR = 400 "invalid-cursor"
        "The cursor is not one of this list"
        "Use a cursor as it was given, together with the filters of the request that gave it, or start again \
         without one."
    IDEMPOTENCY_KEY_INVALID = 400 "idempotency-key-invalid"
        "The idempotency key is not valid"
        "Send one Idempotency-Key header of 1 to 255 printable ASCII characters; a random UUID is a good one."
    KEY_MISSING = 401 "key-missing"
        "An API key is needed"
        "Send `Authorization: Bearer rk_…` with a key that `recount keys create` made."
    KEY_INVALID = 401 "key-invalid"
        "The API key is not valid"
        "Check that the key is complete and has not been revoked; `recount keys list` shows the valid ones."
    NOT_FOUND = 404 "not-found"
        "There is nothing at this address"
        "Check the path; the OpenAPI document lists all of them."
    UNKNOWN_COMMAND = 404 "unknown-command"
        "There is no such command"
        "Check the command's name; the OpenAPI document lists all of them."
    LEDGER_UNKNOWN = 404 "ledger-unknown"
        "There is no such ledger"
        "Check the ledger's name. If it was made a moment ago, send `Recount-At-Least` with the position that the \
         answer to its creation gave."
    ACCOUNT_NOT_FOUND = 404 "account-not-found"
        "There is no such account"
        "Check the account's name. If it was opened a moment ago, send `Recount-At-Least` with the position that the \
         answer to its opening gave."
    TRANSACTION_NOT_FOUND = 404 "transaction-not-found"
        "There is no such transaction"
        "Check the transaction's id. If it was posted a moment ago, send `Recount-At-Least` with the position that \
         the answer gave."
    HOLD_NOT_FOUND = 404 "hold-not-found"
        "There is no such hold"
        "Check the hold's id. If it was placed a moment ago, send `Recount-At-Least` with the position that the answer \
         gave."
    CUSTOMER_NOT_FOUND = 404 "customer-not-found"
        "There is no such customer"
        "Check the customer's id. If the customer was registered a moment ago, send `Recount-At-Least` with the \
         position that the answer gave."
    METHOD_NOT_ALLOWED = 405 "method-not-allowed"
        "The address does not take this method"
        "Use one of the methods that the Allow header names."
    BODY_TOO_LARGE = 413 "body-too-large"
        "The body is too large"
        "Send less at once, for example smaller batches."
    UNSUPPORTED_MEDIA_TYPE = 415 "unsupported-media-type"
        "The body is not of a type that is understood"
        "Send JSON with `Content-Type: application/json`."
    IDEMPOTENCY_KEY_REUSED = 422 "idempotency-key-reused"
        "The idempotency key was used for another request"
        "Use a new key for a new request; repeat a request with exactly the body that it had."
    REJECTED = 422 "rejected"
        "The command was rejected"
        "The detail says why. The reason was recorded by an earlier version, which had a code of its own for it."
    INTERNAL = 500 "internal"
        "The service failed"
        "Tell the operator the request's id (header x-request-id). A command may be repeated with the same \
         Idempotency-Key."
    BUSY = 503 "busy"
        "The service has more to do than it can take"
        "Nothing was done. Repeat the request after the time that Retry-After gives."
    STORE_UNAVAILABLE = 503 "store-unavailable"
        "The database cannot be reached"
        "Nothing was done. Repeat the request after the time that Retry-After gives."
    READ_MODELS_REBUILDING = 503 "read-models-rebuilding"
        "The read models are being rebuilt"
        "Repeat the request after the time that Retry-After gives; `events_applied` of `events` says how far it is. \
         Commands are taken meanwhile."
    OUTCOME_UNKNOWN = 503 "outcome-unknown"
        "The command may or may not have been recorded"
        "Repeat the command with the same Idempotency-Key: it is then recorded once, whatever has happened."
    POSITION_NOT_REACHED = 503 "position-not-reached"
        "The read model has not reached the position that was asked for"
        "Repeat the request after the time that Retry-After gives, wait longer with `Prefer: wait=SECONDS`, or ask \
         without Recount-At-Least for what there is; `position` says where the read model is."
    REQUEST_TIMEOUT = 503 "request-timeout"
        "The request took too long"
        "Repeat the request; a command with the same Idempotency-Key, since it may have been recorded."
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_code_is_kebab_case_and_used_once() {
        let mut seen = HashSet::new();
        for kind in all() {
            assert!(
                kind.code
                    .split('-')
                    .all(|word| { !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase()) }),
                "{}",
                kind.code
            );
            assert!(seen.insert(kind.code), "{} is there twice", kind.code);
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
