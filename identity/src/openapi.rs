//! The API key in an OpenAPI document.

use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};

const SCHEME: &str = "api_key";

/// Documents that every operation needs a key, and how to send it.
pub fn document(openapi: &mut OpenApi) {
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("rk_<id>_<secret>")
        .description(Some("An API key, created with `recount keys create`."))
        .build();
    let components = openapi.components.get_or_insert_default();
    components.add_security_scheme(SCHEME, SecurityScheme::Http(scheme));
    openapi.security = Some(vec![SecurityRequirement::new(SCHEME, Vec::<String>::new())]);
}
