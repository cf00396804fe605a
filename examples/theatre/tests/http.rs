//! The theatre over HTTP, on a real Postgres.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use recount_test_support::{TestDatabase, eventually};
use serde_json::{Value, json};
use theatre::service::Service;
use tower::ServiceExt;

async fn request(api: &Router, method: Method, path: &str, body: &Value) -> (StatusCode, Value) {
    let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    let answer = api.clone().oneshot(request.body(Body::from(body.to_string())).unwrap()).await.unwrap();
    let status = answer.status();
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

#[tokio::test]
async fn seats_are_sold_over_http_and_the_programme_shows_it() {
    let database = TestDatabase::create().await;
    let service = Service::start(database.pool().clone()).await.unwrap();
    let api = service.router();
    let post = async |body: Value| request(&api, Method::POST, "/globe/commands", &body).await;
    let reserve = || json!({"command": "reserve", "data": {"show": "hamlet", "guest": "ann"}});

    let (status, problem) = post(reserve()).await;
    assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &json!("log-unknown")));
    assert_eq!(request(&api, Method::PUT, "/globe", &json!({})).await.0, StatusCode::NO_CONTENT);
    let (status, problem) = post(json!({"command": "reserve", "data": {"show": "hamlet"}})).await;
    assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &json!("invalid-request")));

    let announce = json!({"command": "announce", "data": {"show": "hamlet", "seats": 2}});
    let (status, answer) = post(json!([announce, reserve(), reserve(), reserve()])).await;
    assert_eq!((status, &answer["position"]), (StatusCode::OK, &json!(3)));
    assert_eq!(answer["outcomes"][3]["rejected"]["code"], "sold-out");
    let (status, answer) = post(json!({"command": "pay", "data": {"show": "hamlet", "seat": 1}})).await;
    assert_eq!((status, &answer["events"][0]["type"]), (StatusCode::OK, &json!("paid")));

    let programme = json!([{"show": "hamlet", "seats": 2, "reserved": 1, "paid": 1}]);
    eventually(Duration::from_secs(60), "the programme is up to date", async || {
        request(&api, Method::GET, "/globe/shows", &Value::Null).await.1 == programme
    })
    .await;
    let (_, events) = request(&api, Method::GET, "/globe/events?after=3", &Value::Null).await;
    assert_eq!((&events[0]["type"], &events[0]["position"]), (&json!("paid"), &json!(4)));
    service.stop().await;
}
