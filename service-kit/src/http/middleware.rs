//! The middleware around every handler: a timeout, panic recovery, metrics, a request id and a tracing span.

use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use ::http::{HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::extract::{MatchedPath, Request};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use tower::{Layer, Service};
use tracing::{Instrument, Level, Span};

use crate::ids;
use crate::problem::{Cause, Problem, kinds};

/// The header that identifies a request. A client may send one; the answer to a failed request always has one.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const REQUEST_ID_LEN_MAX: usize = 128;

/// The layer that adds the middleware to a route.
#[derive(Clone)]
pub(super) struct RequestLayer {
    inner: Arc<LayerInner>,
}

struct LayerInner {
    timeout: Duration,
    id_prefix: String,
    id_next: AtomicU64,
    /// By the first digit of the status.
    durations: [metrics::Histogram; 6],
}

impl RequestLayer {
    pub(super) fn new(timeout: Duration) -> RequestLayer {
        let durations = ["0xx", "1xx", "2xx", "3xx", "4xx", "5xx"]
            .map(|class| metrics::histogram!("recount_http_request_seconds", "status" => class));
        RequestLayer {
            inner: Arc::new(LayerInner {
                timeout,
                id_prefix: format!("{:x}", ids::new_id().as_fields().0),
                id_next: AtomicU64::new(1),
                durations,
            }),
        }
    }
}

impl<S> Layer<S> for RequestLayer {
    type Service = RequestService<S>;

    fn layer(&self, handler: S) -> RequestService<S> {
        RequestService { handler, layer: Arc::clone(&self.inner) }
    }
}

/// A handler with the middleware around it.
#[derive(Clone)]
pub(super) struct RequestService<S> {
    handler: S,
    layer: Arc<LayerInner>,
}

impl<S> Service<Request> for RequestService<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Send,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.handler.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let started = Instant::now();
        let layer = Arc::clone(&self.layer);
        let mut info = RequestInfo::of(&request);
        let span = layer.span(&request, &mut info);
        let answer = self.handler.call(request);
        let answer = async move {
            let mut response = answer_of(answer, layer.timeout).await;
            let (status, elapsed) = (response.status(), started.elapsed());
            tracing::debug!(status = status.as_u16(), ?elapsed, "answered");
            if status.is_client_error() || status.is_server_error() {
                layer.identify(info, &mut response);
            } else if let Some(id) = info.sent_id {
                response.headers_mut().insert(REQUEST_ID, id);
            }
            let class = usize::from(status.as_u16() / 100).min(5);
            layer.durations[class].record(elapsed);
            Ok(response)
        };
        match span {
            Some(span) => Box::pin(answer.instrument(span)),
            None => Box::pin(answer),
        }
    }
}

/// The parts of a request that its output lines show. Cloning them copies no text.
struct RequestInfo {
    method: Method,
    uri: Uri,
    /// The id that the client sent.
    sent_id: Option<HeaderValue>,
    /// The id that was made here, if one was needed.
    made_id: Option<HeaderValue>,
}

impl RequestInfo {
    fn of(request: &Request) -> RequestInfo {
        let id = request.headers().get(&REQUEST_ID).filter(|id| {
            let bytes = id.as_bytes();
            (1..=REQUEST_ID_LEN_MAX).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
        });
        let (method, uri) = (request.method().clone(), request.uri().clone());
        RequestInfo { method, uri, sent_id: id.cloned(), made_id: None }
    }
}

async fn answer_of(
    answer: impl Future<Output = Result<Response, Infallible>> + Send,
    timeout: Duration,
) -> Response {
    let caught = AssertUnwindSafe(answer).catch_unwind();
    match tokio::time::timeout(timeout, caught).await {
        Ok(Ok(Ok(response))) => response,
        Ok(Ok(Err(never))) => match never {},
        // The panic hook has printed the place and the message.
        Ok(Err(_panic)) => Problem::new(&kinds::INTERNAL, "Internal error.").into_response(),
        Err(_elapsed) => {
            Problem::new(&kinds::REQUEST_TIMEOUT, "The answer was not ready in time.").into_response()
        }
    }
}

impl LayerInner {
    /// The span of a request. When the filter disables the debug level here, all this costs is one comparison.
    fn span(&self, request: &Request, info: &mut RequestInfo) -> Option<Span> {
        if !tracing::span_enabled!(Level::DEBUG) {
            return None;
        }
        let id = match &info.sent_id {
            Some(id) => id,
            None => info.made_id.insert(self.next_id()),
        };
        let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
        Some(tracing::debug_span!("request", method = %info.method, route, request = text_of(id)))
    }

    /// Gives the answer to a failed request its id, and prints the cause, which the caller does not see.
    fn identify(&self, info: RequestInfo, response: &mut Response) {
        let id = info.sent_id.or(info.made_id).unwrap_or_else(|| self.next_id());
        let status = response.status();
        let cause = response.extensions_mut().remove::<Cause>();
        if cause.is_some() || status == StatusCode::INTERNAL_SERVER_ERROR {
            let (code, cause) = cause.as_ref().map_or(("", ""), |cause| (cause.code, &*cause.text));
            tracing::error!(
                request = text_of(&id),
                method = %info.method,
                path = info.uri.path(),
                status = status.as_u16(),
                code,
                cause,
                "a request failed"
            );
        }
        response.headers_mut().insert(REQUEST_ID, id);
    }

    fn next_id(&self) -> HeaderValue {
        let number = self.id_next.fetch_add(1, Ordering::Relaxed);
        HeaderValue::try_from(format!("{}-{number:x}", self.id_prefix))
            .expect("hexadecimal digits are visible")
    }
}

fn text_of(id: &HeaderValue) -> &str {
    id.to_str().unwrap_or_default()
}
