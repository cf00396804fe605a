//! The routes of the command API, and their OpenAPI description, from one definition.

use axum::middleware::from_fn_with_state;
use axum::routing::post;
use recount_service_kit::identity::{self, Authenticator};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::state::LedgerState;
use super::{events, handlers, schemas};

/// The command API, which asks for a key.
pub fn router(state: LedgerState, authenticator: Authenticator) -> OpenApiRouter {
    let mut router = OpenApiRouter::new()
        .routes(routes!(handlers::create_ledger))
        .routes(routes!(handlers::submit_batch))
        .routes(routes!(events::list_events))
        .merge(handlers::command_routes())
        .route("/v1/ledgers/{ledger}/commands/{command}", post(handlers::unknown_command))
        .route_layer(from_fn_with_state(authenticator, identity::require))
        .with_state(state);
    identity::document(router.get_openapi_mut());
    schemas::document_rejections(router.get_openapi_mut());
    router
}
