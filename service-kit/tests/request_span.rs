//! The output of a request carries its id. In a binary of its own: the output belongs to the whole process.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::Request;
use recount_service_kit::health::Health;
use recount_service_kit::http::HttpStack;
use recount_service_kit::telemetry;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, reload};

/// Everything that the process prints.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Output {
    fn take(&self) -> String {
        let mut bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8(std::mem::take(&mut bytes)).unwrap()
    }
}

impl io::Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

async fn paint() -> &'static str {
    tracing::info!("painting");
    "painted"
}

fn router() -> Router {
    let health = Health::new(CancellationToken::new());
    HttpStack::new(health, telemetry::metrics_handle()).wrap(Router::new().route("/walls/{wall}", get(paint)))
}

async fn send(path: &str, id: Option<&str>) -> http::Response<Body> {
    let request = id.into_iter().fold(Request::get(path), |request, id| request.header("x-request-id", id));
    router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

#[tokio::test]
async fn output_lines_of_a_request_carry_its_method_route_and_id_at_debug_level() {
    let output = Output::default();
    let writer = output.clone();
    let (filtered, handle) = reload::Layer::new(filter("recount_service_kit::http=debug,info"));
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || writer.clone());
    tracing_subscriber::registry().with(filtered).with(lines).init();

    send("/walls/north", Some("abc-1")).await;
    let printed = output.take();
    for (line, part) in printed.lines().zip(["painting", "answered status=200"]) {
        assert!(line.contains(part), "{printed}");
        assert!(line.contains(r#"request{method=GET route="/walls/{wall}" request="abc-1"}"#), "{printed}");
    }
    assert_eq!(printed.lines().count(), 2, "{printed}");

    // Without an id of the client, a failed request is answered with the id in its span.
    let answer = send("/doors", None).await;
    let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
    let printed = output.take();
    assert!(printed.contains(&format!("request{{method=GET request=\"{id}\"}}")), "{printed}");

    handle.reload(filter("info")).unwrap();
    send("/walls/north", Some("abc-2")).await;
    let printed = output.take();
    assert!(printed.contains("painting") && !printed.contains("abc-2"), "{printed}");
    assert_eq!(printed.lines().count(), 1, "{printed}");
}

fn filter(directives: &str) -> EnvFilter {
    EnvFilter::try_new(directives).unwrap()
}
