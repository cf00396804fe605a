//! `docs/openapi.json`, the API of `recount up`. A change of the API is a diff of this file.

use crate::{check, repository};

#[test]
fn the_openapi_document_matches_the_routes() {
    let text = serde_json::to_string_pretty(&recount::openapi()).expect("an OpenAPI document is JSON");
    check(&repository().join("docs/openapi.json"), &(text + "\n"));
}
