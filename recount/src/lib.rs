//! The API of `recount up`: its introduction and its OpenAPI document, which a test keeps in `docs/openapi.json`.
//!
//! Everything else is in the binary. What must not be here: anything that runs.

use recount_command_service::ledger;
use recount_service_kit::http::ApiInfo;
use utoipa::openapi::OpenApi;

/// The introduction of the API of `recount up`.
pub const API: ApiInfo = ApiInfo {
    title: "Recount",
    description: "An event-sourced double-entry ledger: commands become immutable events, and every number can be \
        recounted from them. Amounts are strings of whole minor units. Every error is a problem document (RFC 9457) whose \
        `type` is the address of its page.",
    version: env!("CARGO_PKG_VERSION"),
};

/// The OpenAPI document that `recount up` serves: commands and queries.
pub fn openapi() -> OpenApi {
    API.introduce(ledger::openapi().merge_from(recount_query_service::openapi()))
}
