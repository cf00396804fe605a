//! What surrounds every route, seen from outside.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use recount_service_kit::health::Health;
use recount_service_kit::http::{JsonBody, Surroundings};
use recount_service_kit::problem::ProblemKind;
use recount_service_kit::telemetry;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

static TOO_BLUE: ProblemKind =
    ProblemKind { code: "too-blue", status: 422, title: "It is too blue <b>", advice: "Use less blue." };
static PAINTS: &[&ProblemKind] = &[&TOO_BLUE];

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
    let mut surroundings =
        Surroundings::new(Health::new(finishing), telemetry::metrics_handle()).with_catalogue(PAINTS);
    surroundings.body_max_bytes = 8;
    surroundings.request_time_max = Duration::from_millis(20);
    surroundings.surround(routes)
}

async fn send(request: http::request::Builder, body: &'static str) -> Answer {
    send_to(router(CancellationToken::new()), request, body).await
}

async fn send_to(router: Router, request: http::request::Builder, body: &'static str) -> Answer {
    let response = router.oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer { status: parts.status, headers: parts.headers, body: String::from_utf8(body.to_vec()).unwrap() }
}

#[tokio::test]
async fn a_request_id_that_was_sent_comes_back() {
    let answer = send(Request::get("/fine").header("x-request-id", "abc-1"), "").await;
    assert_eq!((answer.status.as_u16(), &*answer.body), (200, "fine"));
    assert_eq!(answer.headers["x-request-id"], "abc-1");
    let answer = send(Request::get("/fine"), "").await;
    assert!(!answer.headers.contains_key("x-request-id"));
}

#[tokio::test]
async fn a_request_id_that_could_break_a_log_line_is_replaced() {
    let answer = send(Request::get("/none").header("x-request-id", "a b"), "").await;
    assert_eq!(answer.code(), "not-found");
    assert_ne!(answer.headers["x-request-id"], "a b");
}

#[tokio::test]
async fn whatever_goes_wrong_around_a_handler_is_a_problem() {
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
async fn a_refused_method_is_told_which_ones_there_are() {
    let answer = send(Request::builder().method(Method::PUT).uri("/json"), "").await;
    assert_eq!(answer.headers["allow"], "POST");
}

#[tokio::test]
async fn a_body_is_taken_as_json_within_the_limit() {
    let json = || Request::post("/json").header("content-type", "application/json; charset=utf-8");
    assert_eq!(send(json(), "[1]").await.body, "[1]");
    assert_eq!(send(json(), "[1,2,3,4,5]").await.code(), "body-too-large");
    assert_eq!(send(Request::post("/json"), "[1]").await.code(), "unsupported-media-type");
}

#[tokio::test]
async fn problems_have_pages_for_people_and_programs_also_those_of_a_domain() {
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
    assert!(list.body.contains("<a href=\"/problems/too-blue\">"), "{}", list.body);
}

#[tokio::test]
async fn a_process_says_that_it_lives_and_whether_it_is_ready() {
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
