//! What happens around every handler: a bound in time, a net for panics, an id and a log line for failures, metrics.

use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use ::http::{HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use tower::{Layer, Service};

use crate::ids;
use crate::problem::{Cause, Problem, kinds};

/// The header that names a request. A client may send one; the answer to a failed request always has one.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const REQUEST_ID_LEN_MAX: usize = 128;

/// The layer.
#[derive(Clone)]
pub(super) struct Around {
    shared: Arc<Shared>,
}

struct Shared {
    time_max: Duration,
    id_prefix: String,
    id_next: AtomicU64,
    /// By the first digit of the status.
    durations: [metrics::Histogram; 6],
}

impl Around {
    pub(super) fn new(time_max: Duration) -> Around {
        let durations = ["0xx", "1xx", "2xx", "3xx", "4xx", "5xx"]
            .map(|class| metrics::histogram!("recount_http_request_seconds", "status" => class));
        Around {
            shared: Arc::new(Shared {
                time_max,
                id_prefix: format!("{:x}", ids::new_id().as_fields().0),
                id_next: AtomicU64::new(1),
                durations,
            }),
        }
    }
}

impl<S> Layer<S> for Around {
    type Service = Surrounded<S>;

    fn layer(&self, inner: S) -> Surrounded<S> {
        Surrounded { inner, shared: Arc::clone(&self.shared) }
    }
}

/// A handler with everything around it.
#[derive(Clone)]
pub(super) struct Surrounded<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S> Service<Request> for Surrounded<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Send,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let started = Instant::now();
        let shared = Arc::clone(&self.shared);
        let asked = Asked::of(&request);
        let answer = self.inner.call(request);
        Box::pin(async move {
            let mut response = answer_of(answer, shared.time_max).await;
            let status = response.status();
            if status.is_client_error() || status.is_server_error() {
                shared.identify(&asked, &mut response);
            } else if let Some(id) = asked.id {
                response.headers_mut().insert(REQUEST_ID, id);
            }
            let class = usize::from(status.as_u16() / 100).min(5);
            shared.durations[class].record(started.elapsed());
            Ok(response)
        })
    }
}

/// What a log line about a request needs of it. Cloning these parts copies no text.
struct Asked {
    method: Method,
    uri: Uri,
    id: Option<HeaderValue>,
}

impl Asked {
    fn of(request: &Request) -> Asked {
        let id = request.headers().get(&REQUEST_ID).filter(|id| {
            let bytes = id.as_bytes();
            (1..=REQUEST_ID_LEN_MAX).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
        });
        Asked { method: request.method().clone(), uri: request.uri().clone(), id: id.cloned() }
    }
}

async fn answer_of(
    answer: impl Future<Output = Result<Response, Infallible>> + Send,
    time_max: Duration,
) -> Response {
    let caught = AssertUnwindSafe(answer).catch_unwind();
    match tokio::time::timeout(time_max, caught).await {
        Ok(Ok(Ok(response))) => response,
        Ok(Ok(Err(never))) => match never {},
        // The panic hook has logged where and why.
        Ok(Err(_panic)) => {
            Problem::new(&kinds::INTERNAL, "The service met an error that it did not expect.").into_response()
        }
        Err(_elapsed) => {
            Problem::new(&kinds::REQUEST_TIMEOUT, "The answer was not ready in time.").into_response()
        }
    }
}

impl Shared {
    /// Gives a failed request its id, and logs what the caller is not told.
    fn identify(&self, asked: &Asked, response: &mut Response) {
        let id = asked.id.clone().unwrap_or_else(|| self.next_id());
        let status = response.status();
        let cause = response.extensions_mut().remove::<Cause>();
        if cause.is_some() || status == StatusCode::INTERNAL_SERVER_ERROR {
            let (code, cause) = cause.as_ref().map_or(("", ""), |cause| (cause.code, &*cause.text));
            tracing::error!(
                request = id.to_str().unwrap_or_default(),
                method = %asked.method,
                path = asked.uri.path(),
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
