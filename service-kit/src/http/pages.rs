//! The pages that every process has: liveness, readiness, metrics, and the problem catalogue.

use std::sync::Arc;

use ::http::header::{ACCEPT, CONTENT_TYPE};
use ::http::{HeaderMap, HeaderValue, StatusCode};
use axum::Router;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Json, Response};
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Value, json};

use super::Path;
use crate::health::Health;
use crate::problem::{PAGES, Problem, ProblemKind, kinds};

type Catalogue = Arc<[&'static ProblemKind]>;

pub(super) fn router(
    health: Health,
    metrics: PrometheusHandle,
    catalogues: &[&'static [&'static ProblemKind]],
) -> Router {
    let catalogue = merged(catalogues);
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(ready).with_state(health))
        .route("/metrics", get(render_metrics).with_state(metrics))
        .route("/problems", get(list_problems).with_state(Arc::clone(&catalogue)))
        .route("/problems/{code}", get(show_problem).with_state(catalogue))
}

/// The common catalogue and the others, with each code once. Two services may define the same problem.
fn merged(catalogues: &[&'static [&'static ProblemKind]]) -> Catalogue {
    let mut kinds = kinds::all().to_vec();
    for kind in catalogues.iter().copied().flatten().copied() {
        match kinds.iter().find(|known| known.code == kind.code) {
            Some(known) => debug_assert_eq!(*known, kind, "two problems have the same code"),
            None => kinds.push(kind),
        }
    }
    kinds.into()
}

async fn ready(State(health): State<Health>) -> (StatusCode, Json<Value>) {
    let report = health.report().await;
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!(report)))
}

async fn render_metrics(State(metrics): State<PrometheusHandle>) -> impl IntoResponse {
    let media_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(CONTENT_TYPE, media_type)], metrics.render())
}

async fn list_problems(State(catalogue): State<Catalogue>, headers: HeaderMap) -> Response {
    if wants_html(&headers) {
        let rows: String = catalogue.iter().map(|kind| row(kind)).collect();
        let body = format!("<table><tr><th>Code<th>Status<th>Meaning<th>Advice</tr>{rows}</table>");
        page("Problems", &body)
    } else {
        let problems: Vec<Value> = catalogue.iter().map(|kind| describe(kind)).collect();
        Json(json!({ "problems": problems })).into_response()
    }
}

async fn show_problem(
    State(catalogue): State<Catalogue>,
    Path(code): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let kind = catalogue
        .iter()
        .find(|kind| kind.code == code)
        .ok_or_else(|| Problem::new(&kinds::NOT_FOUND, "There is no problem with this code."))?;
    Ok(if wants_html(&headers) {
        let (status, advice) = (kind.status, escape(kind.advice));
        let body = format!(
            "<p>Code <code>{}</code>, HTTP status {status}.</p><p>{advice}</p><p><a href=\"/problems\">All problems</a></p>",
            kind.code
        );
        page(kind.title, &body)
    } else {
        Json(describe(kind)).into_response()
    })
}

fn describe(kind: &ProblemKind) -> Value {
    json!({
        "type": format!("{PAGES}{}", kind.code),
        "code": kind.code,
        "status": kind.status,
        "title": kind.title,
        "advice": kind.advice,
    })
}

fn row(kind: &ProblemKind) -> String {
    let (code, status) = (kind.code, kind.status);
    let (title, advice) = (escape(kind.title), escape(kind.advice));
    format!("<tr><td><a href=\"{PAGES}{code}\">{code}</a><td>{status}<td>{title}<td>{advice}</tr>")
}

fn page(title: &str, body: &str) -> Response {
    let title = escape(title);
    Html(format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>\
         <style>body{{font-family:sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}}\
         td,th{{text-align:left;vertical-align:top;padding:.3rem .8rem .3rem 0}}</style><h1>{title}</h1>{body}</html>\n"
    ))
    .into_response()
}

fn wants_html(headers: &HeaderMap) -> bool {
    headers
        .get(ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
