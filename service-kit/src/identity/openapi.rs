//! The key of a request, in an OpenAPI document.

use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};

const SCHEME: &str = "api_key";

/// Says in the document that every operation needs a key, and how it is sent.
pub fn document(openapi: &mut OpenApi) {
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("rk_<id>_<secret>")
        .description(Some("An API key, as `recount keys create` makes them."))
        .build();
    let components = openapi.components.get_or_insert_default();
    components.add_security_scheme(SCHEME, SecurityScheme::Http(scheme));
    openapi.security = Some(vec![SecurityRequirement::new(SCHEME, Vec::<String>::new())]);
}
