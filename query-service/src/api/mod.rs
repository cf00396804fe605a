//! The questions that can be asked: a module for each resource, with its routes, its SQL and what it answers.

mod accounts;
mod amount;
mod assets;
mod balances;
mod cursor;
mod customers;
mod holds;
mod ledgers;
mod list;
mod metadata_history;
mod parameters;
mod policy;
mod problems;
mod statement;
mod transactions;
mod trial_balance;

use axum::middleware::from_fn_with_state;
use recount_identity::{self as identity, Authenticator};
use recount_service_kit::problem::Problem;
use utoipa::openapi::{Info, OpenApi};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use problems::LEDGER_UNKNOWN;
pub use problems::catalogue;

use crate::read::Reader;

/// The routes of the read side and their OpenAPI document, made from one definition. Every route asks for a key.
pub fn router(reader: Reader, authenticator: Authenticator) -> OpenApiRouter {
    let mut router = OpenApiRouter::with_openapi(description())
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
        .with_state(reader)
        .route_layer(from_fn_with_state(authenticator, identity::require));
    let document = router.get_openapi_mut();
    let components = document.components.get_or_insert_default();
    components.schemas.insert(Problem::name().into_owned(), Problem::schema());
    identity::document(document);
    router
}

fn description() -> OpenApi {
    let mut info = Info::new("Recount: queries", env!("CARGO_PKG_VERSION"));
    info.description = Some(
        "The read side of Recount. Every answer about a ledger says in `Recount-Position` which position of the \
         ledger's log it reflects. Who has written sends the position that the answer to the command gave in \
         `Recount-At-Least`: the service then waits until the read model is there, as long as `Prefer: wait=SECONDS` \
         says (5 unless told, 60 at most). Amounts are strings of whole minor units."
            .to_owned(),
    );
    OpenApi::new(info, utoipa::openapi::Paths::new())
}
