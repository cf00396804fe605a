//! The REST transport: routes, parameters, cursors, problems and the OpenAPI document.
//!
//! A handler in `routes` reads its parameters, opens a snapshot, asks a question of it and returns the result. (`events`
//! opens a log instead.) What all of them share is here: lists, freshness headers, the mapping of errors to problems.

mod answer;
mod cursor;
mod freshness;
mod list;
mod parameters;
mod problems;
mod routes;

use axum::middleware::from_fn_with_state;
use recount_identity::{self as identity, Authenticator};
use recount_service_kit::problem::Problem;
use recount_store::LogReader;
use utoipa::openapi::{Info, OpenApi};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::read::Reader;
pub use problems::catalogue;
use routes::{
    accounts, assets, customers, events, holds, ledgers, metadata_history, statement, transactions,
    trial_balance,
};

/// The routes of the read side with their OpenAPI document. `reader` reads the read models, `log_reader` the logs. Every
/// route requires a key.
pub fn router(reader: Reader, log_reader: LogReader, authenticator: Authenticator) -> OpenApiRouter {
    let mut router = OpenApiRouter::with_openapi(description())
        .merge(read_model_routes().with_state(reader))
        .merge(log_routes().with_state(log_reader))
        .route_layer(from_fn_with_state(authenticator, identity::require));
    complete(router.get_openapi_mut());
    router
}

/// The OpenAPI document of the read side.
pub fn openapi() -> OpenApi {
    let mut document =
        description().merge_from(read_model_routes().into_openapi()).merge_from(log_routes().into_openapi());
    complete(&mut document);
    document
}

fn read_model_routes() -> OpenApiRouter<Reader> {
    OpenApiRouter::new()
        .routes(routes!(ledgers::list))
        .routes(routes!(ledgers::show))
        .routes(routes!(accounts::list))
        .routes(routes!(accounts::show))
        .routes(routes!(metadata_history::of_account))
        .routes(routes!(statement::show))
        .routes(routes!(transactions::list))
        .routes(routes!(transactions::show))
        .routes(routes!(metadata_history::of_transaction))
        .routes(routes!(holds::list))
        .routes(routes!(holds::show))
        .routes(routes!(customers::list))
        .routes(routes!(customers::show))
        .routes(routes!(assets::list))
        .routes(routes!(trial_balance::show))
}

fn log_routes() -> OpenApiRouter<LogReader> {
    OpenApiRouter::new().routes(routes!(events::list))
}

/// Adds what belongs to no single route.
fn complete(document: &mut OpenApi) {
    let components = document.components.get_or_insert_default();
    components.schemas.insert(Problem::name().into_owned(), Problem::schema());
    identity::document(document);
}

fn description() -> OpenApi {
    let mut info = Info::new("Recount: queries", env!("CARGO_PKG_VERSION"));
    info.description = Some(
        "The read side of Recount. The header `Recount-Position` of every answer about a ledger says which position of \
         the ledger's log it reflects. To read your own writes, send the position from the answer to a command in \
         `Recount-At-Least`: the service waits until the read model has reached it, for the time in \
         `Prefer: wait=SECONDS` (default 5, at most 60). Amounts are strings of whole minor units."
            .to_owned(),
    );
    OpenApi::new(info, utoipa::openapi::Paths::new())
}
