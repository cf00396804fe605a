//! The OpenAPI document of a process, and a page to explore it that needs no network.

use std::sync::Arc;

use ::http::header::CONTENT_TYPE;
use axum::Router;
use axum::response::Redirect;
use axum::routing::get;
use utoipa::openapi::{Info, License, OpenApi};
use utoipa_swagger_ui::{Config, SwaggerUi};

const DOCUMENT: &str = "/openapi.json";
const EXPLORER: &str = "/explorer";

const DESCRIPTION: &str = "A double-entry ledger that is event-sourced: commands become immutable events, and every \
    number can be recounted from them. Amounts are whole minor units, as strings of digits. Every error is a problem \
    document (RFC 9457) whose `type` is the address of its page.";

/// Serves the document at `/openapi.json`, written once, and the explorer at `/explorer`.
pub fn openapi(mut document: OpenApi) -> Router {
    document.info = Info::new("Recount", env!("CARGO_PKG_VERSION"));
    document.info.description = Some(DESCRIPTION.to_owned());
    document.info.license = Some(License::new("MIT OR Apache-2.0"));
    let text: Arc<str> = serde_json::to_string(&document)
        .expect("an OpenAPI document is made of maps with string keys")
        .into();
    let answer = move || {
        let text = Arc::clone(&text);
        async move { ([(CONTENT_TYPE, "application/json")], text.to_string()) }
    };
    // The page would otherwise send the document's address to a validator on another host.
    let settings =
        Config::from(DOCUMENT).try_it_out_enabled(true).persist_authorization(true).validator_url("none");
    Router::new()
        .route(DOCUMENT, get(answer))
        .route("/", get(|| async { Redirect::temporary(EXPLORER) }))
        .merge(SwaggerUi::new(EXPLORER).config(settings))
}
