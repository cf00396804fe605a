//! The OpenAPI document of a process, and a page to explore it that works offline.

use std::sync::Arc;

use ::http::header::CONTENT_TYPE;
use axum::Router;
use axum::response::Redirect;
use axum::routing::get;
use utoipa::openapi::{Info, License, OpenApi};
use utoipa_swagger_ui::{Config, SwaggerUi};

const DOCUMENT: &str = "/openapi.json";
const EXPLORER: &str = "/explorer";

/// The introduction of an API in its OpenAPI document.
#[derive(Clone, Copy, Debug)]
pub struct ApiInfo {
    pub title: &'static str,
    pub description: &'static str,
    pub version: &'static str,
}

impl ApiInfo {
    /// The document with this introduction.
    pub fn introduce(self, mut document: OpenApi) -> OpenApi {
        document.info = Info::new(self.title, self.version);
        document.info.description = Some(self.description.to_owned());
        document.info.license = Some(License::new(env!("CARGO_PKG_LICENSE")));
        document
    }
}

/// Serves the document at `/openapi.json`, serialised once, and the explorer at `/explorer`.
pub fn openapi(document: OpenApi, api: ApiInfo) -> Router {
    let text: Arc<str> = serde_json::to_string(&api.introduce(document))
        .expect("an OpenAPI document is made of maps with string keys")
        .into();
    let answer = move || {
        let text = Arc::clone(&text);
        async move { ([(CONTENT_TYPE, "application/json")], text.to_string()) }
    };
    // By default the page sends the document's address to a validator on another host.
    let settings =
        Config::from(DOCUMENT).try_it_out_enabled(true).persist_authorization(true).validator_url("none");
    Router::new()
        .route(DOCUMENT, get(answer))
        .route("/", get(|| async { Redirect::temporary(EXPLORER) }))
        .merge(SwaggerUi::new(EXPLORER).config(settings))
}
