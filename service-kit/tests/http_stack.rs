//! The middleware and the common pages, as a client sees them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use recount_service_kit::health::Health;
use recount_service_kit::http::{BODY_MAX_BYTES, HttpStack, JsonBody};
use recount_service_kit::problem::ProblemKind;
use recount_service_kit::telemetry;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

static TOO_BLUE: ProblemKind =
    ProblemKind { code: "too-blue", status: 422, title: "It is too blue <b>", advice: "Use less blue." };
static PAINTS: &[&ProblemKind] = &[&TOO_BLUE];
/// Another service's catalogue, with a definition of its own of the same problem.
static TOO_BLUE_AGAIN: ProblemKind = ProblemKind { ..TOO_BLUE };
static TOO_RED: ProblemKind =
    ProblemKind { code: "too-red", status: 422, title: "It is too red", advice: "Use less red." };
static WALLS: &[&ProblemKind] = &[&TOO_RED, &TOO_BLUE_AGAIN];

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn code(&self) -> String {
        let document: Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert!(self.headers.contains_key("x-request-id"));
        document["code"].as_str().unwrap().to_owned()
    }
}

async fn explode() -> &'static str {
    panic!("a handler that panics")
}

async fn hang() {
    std::future::pending().await
}

fn router(finishing: CancellationToken) -> Router {
    let routes = Router::new()
        .route("/fine", get(async || "fine"))
        .route("/json", post(async |JsonBody(body): JsonBody| body))
        .route("/explode", get(explode))
        .route("/hang", get(hang));
    let mut stack = HttpStack::new(Health::new(finishing), telemetry::metrics_handle())
        .with_catalogue(PAINTS)
        .with_catalogue(WALLS);
    stack.request_timeout = Duration::from_millis(20);
    stack.wrap(routes)
}

async fn send(request: http::request::Builder, body: impl Into<Body>) -> Answer {
    send_to(router(CancellationToken::new()), request, body).await
}

async fn send_to(router: Router, request: http::request::Builder, body: impl Into<Body>) -> Answer {
    let response = router.oneshot(request.body(body.into()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer { status: parts.status, headers: parts.headers, body: String::from_utf8(body.to_vec()).unwrap() }
}

#[tokio::test]
async fn the_answer_repeats_the_request_id_of_the_client() {
    let answer = send(Request::get("/fine").header("x-request-id", "abc-1"), "").await;
    assert_eq!((answer.status.as_u16(), &*answer.body), (200, "fine"));
    assert_eq!(answer.headers["x-request-id"], "abc-1");
    let answer = send(Request::get("/fine"), "").await;
    assert!(!answer.headers.contains_key("x-request-id"));
}

#[tokio::test]
async fn a_request_id_that_could_break_an_output_line_is_replaced() {
    let answer = send(Request::get("/none").header("x-request-id", "a b"), "").await;
    assert_eq!(answer.code(), "not-found");
    assert_ne!(answer.headers["x-request-id"], "a b");
}

#[tokio::test]
async fn failures_outside_of_a_handler_are_problems() {
    for (request, status, code) in [
        (Request::get("/none"), 404, "not-found"),
        (Request::delete("/fine"), 405, "method-not-allowed"),
        (Request::get("/explode"), 500, "internal"),
        (Request::get("/hang"), 503, "request-timeout"),
        (Request::get("/problems/none"), 404, "not-found"),
    ] {
        let answer = send(request, "").await;
        assert_eq!((answer.status.as_u16(), &*answer.code()), (status, code));
    }
}

#[tokio::test]
async fn a_refused_method_is_answered_with_the_allowed_ones() {
    let answer = send(Request::builder().method(Method::PUT).uri("/json"), "").await;
    assert_eq!(answer.headers["allow"], "POST");
}

#[tokio::test]
async fn a_body_must_be_json_and_within_the_limit() {
    let json = || Request::post("/json").header("content-type", "application/json; charset=utf-8");
    assert_eq!(send(json(), "[1]").await.body, "[1]");
    assert_eq!(send(json(), " ".repeat(BODY_MAX_BYTES)).await.status, 200);
    let too_large = send(json(), " ".repeat(BODY_MAX_BYTES + 1)).await;
    assert_eq!((too_large.status.as_u16(), &*too_large.code()), (413, "body-too-large"));
    assert!(too_large.body.contains("exceeds 4 MiB"), "{}", too_large.body);
    assert_eq!(send(Request::post("/json"), "[1]").await.code(), "unsupported-media-type");
}

#[tokio::test]
async fn every_problem_of_every_catalogue_has_a_page_in_html_and_json() {
    let page = send(Request::get("/problems/too-blue").header("accept", "text/html,*/*"), "").await;
    assert!(
        page.body.contains("It is too blue &lt;b&gt;") && page.body.contains("Use less blue."),
        "{}",
        page.body
    );
    let document = send(Request::get("/problems/too-blue"), "").await;
    let document: Value = serde_json::from_str(&document.body).unwrap();
    assert_eq!((&document["status"], &document["advice"]), (&422.into(), &"Use less blue.".into()));
    let list = send(Request::get("/problems"), "").await;
    assert!(list.body.contains("too-blue") && list.body.contains("key-missing"));
    let list = send(Request::get("/problems").header("accept", "text/html"), "").await;
    for code in ["too-blue", "too-red"] {
        let link = format!("<a href=\"/problems/{code}\">");
        assert_eq!(list.body.matches(&link).count(), 1, "{}", list.body);
    }
}

#[tokio::test]
async fn a_finishing_process_is_alive_and_not_ready() {
    let finishing = CancellationToken::new();
    let router = router(finishing.clone());
    assert_eq!(send_to(router.clone(), Request::get("/livez"), "").await.status, 200);
    assert_eq!(send_to(router.clone(), Request::get("/readyz"), "").await.status, 200);
    finishing.cancel();
    let ready = send_to(router.clone(), Request::get("/readyz"), "").await;
    assert_eq!(ready.status, 503);
    assert!(ready.body.contains("it is finishing"), "{}", ready.body);
    assert_eq!(send_to(router, Request::get("/livez"), "").await.status, 200);
}

#[tokio::test]
async fn requests_are_measured() {
    let router = router(CancellationToken::new());
    send_to(router.clone(), Request::get("/fine"), "").await;
    let metrics = send_to(router, Request::get("/metrics"), "").await;
    assert!(
        metrics.body.contains("recount_http_request_seconds_bucket{status=\"2xx\",le=\"1\"}"),
        "{}",
        metrics.body
    );
}
