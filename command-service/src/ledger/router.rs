//! The routes of the command API with their OpenAPI description.

use axum::middleware::from_fn_with_state;
use axum::routing::post;
use recount_identity::{self as identity, Authenticator};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::state::LedgerState;
use super::{batch, commands, handlers, schemas};

/// The command API. Every request needs a key.
pub fn router(state: LedgerState, authenticator: Authenticator) -> OpenApiRouter {
    documented()
        .route("/v1/ledgers/{ledger}/commands/{command}", post(handlers::unknown_command))
        .route_layer(from_fn_with_state(authenticator, identity::require))
        .with_state(state)
}

/// The OpenAPI document of the command API.
pub fn openapi() -> OpenApi {
    documented().into_openapi()
}

/// The routes that the document describes, with the document.
fn documented() -> OpenApiRouter<LedgerState> {
    let mut router = OpenApiRouter::new()
        .routes(routes!(handlers::create_ledger))
        .routes(routes!(batch::submit_batch))
        .merge(commands::routes());
    identity::document(router.get_openapi_mut());
    schemas::document_rejections(router.get_openapi_mut());
    router
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::openapi;

    /// The operations: method, path and description.
    fn operations() -> Vec<(String, String, Value)> {
        let document = serde_json::to_value(openapi()).unwrap();
        let mut operations = Vec::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                operations.push((method.clone(), path.clone(), operation.clone()));
            }
        }
        operations
    }

    #[test]
    fn every_problem_is_documented_as_a_problem_document() {
        for (method, path, operation) in operations() {
            let responses = operation["responses"].as_object().unwrap();
            for (status, response) in responses {
                let media_types: Vec<&String> = response["content"].as_object().unwrap().keys().collect();
                let media_type =
                    if status.starts_with('2') { "application/json" } else { "application/problem+json" };
                assert_eq!(media_types, [media_type], "{method} {path}: {status}");
            }
            for status in ["400", "401", "500", "503"] {
                assert!(responses.contains_key(status), "{method} {path} documents {status}");
            }
        }
    }

    #[test]
    fn no_operation_is_a_get() {
        for (method, path, _) in operations() {
            assert_ne!(method, "get", "the query service answers GET {path}");
        }
    }

    #[test]
    fn every_decided_answer_documents_its_position() {
        for (method, path, operation) in operations() {
            let responses = operation["responses"].as_object().unwrap();
            let with_position: BTreeSet<&str> = responses
                .iter()
                .filter(|(_, response)| response["headers"]["Recount-Position"].is_object())
                .map(|(status, _)| &**status)
                .collect();
            let decided: &[&str] = match &*method {
                "put" => &["200", "201"],
                _ => &["200", "409", "422"],
            };
            assert_eq!(with_position, decided.iter().copied().collect(), "{method} {path}");
        }
    }
}
