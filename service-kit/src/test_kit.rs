//! Tests of an HTTP API without a socket: requests go straight into the router.

use axum::Router;
use axum::body::{Body, to_bytes};
use http::{Method, Request};
use serde_json::Value;
use tower::ServiceExt;

use crate::health::Health;
use crate::http::HttpStack;
use crate::problem::ProblemKind;
use crate::shutdown::Shutdown;
use crate::telemetry;

/// An API under test, with the middleware and the pages that it has in a process.
#[derive(Clone, Debug)]
pub struct TestApi {
    router: Router,
}

/// The status and the JSON of an answer; `Null` if the body is not JSON.
pub type TestAnswer = (u16, Value);

impl TestApi {
    pub fn new(routes: Router, problems: &[&'static [&'static ProblemKind]]) -> TestApi {
        let health = Health::new(Shutdown::manual().token());
        let stack = HttpStack::new(health, telemetry::metrics_handle());
        let stack = problems.iter().copied().fold(stack, HttpStack::with_catalogue);
        TestApi { router: stack.wrap(routes) }
    }

    pub async fn get(&self, path: &str) -> TestAnswer {
        self.send(Method::GET, path, Body::empty()).await
    }

    pub async fn put(&self, path: &str) -> TestAnswer {
        self.send(Method::PUT, path, Body::empty()).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> TestAnswer {
        self.send(Method::POST, path, Body::from(body.to_string())).await
    }

    async fn send(&self, method: Method, path: &str, body: Body) -> TestAnswer {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("content-type", "application/json").body(body);
        let answer = self.router.clone().oneshot(request.expect("the path is a URI")).await;
        let (parts, body) = answer.unwrap_or_else(|never| match never {}).into_parts();
        let body = to_bytes(body, usize::MAX).await.expect("the body is in memory");
        (parts.status.as_u16(), serde_json::from_slice(&body).unwrap_or_default())
    }
}
