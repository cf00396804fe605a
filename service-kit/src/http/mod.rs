//! The HTTP side of a process: the middleware and pages around the routes of a role, and serving them.
//!
//! Every request of the hot path passes here, so the work done for each of them is counted in nanoseconds: no label
//! look-up, and an id only for answers that somebody may ask about. With `RECOUNT_LOG=info,recount_service_kit::http=debug`
//! each request gets a span, so that all of its output lines carry its method, route and id.

mod explorer;
mod input;
mod json;
mod middleware;
mod pages;
mod query;
mod serve;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use metrics_exporter_prometheus::PrometheusHandle;

use crate::health::Health;
use crate::problem::{Problem, ProblemKind, kinds};

pub use explorer::{ApiInfo, openapi};
pub use input::{JsonBody, Path};
pub use json::{invalid_at, parse_json, parse_json_within};
pub use middleware::REQUEST_ID;
pub use query::{NoParameters, Query, invalid_parameter};
pub use serve::{BindError, ServeError, bind, serve};

/// Who sends a request. The check in front of the routes adds it to the request's extensions, and it is recorded with
/// every event that the request causes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor(pub Arc<str>);

const MIB: usize = 1024 * 1024;
/// The largest request body: a batch of a thousand commands, with room to spare.
pub const BODY_MAX_BYTES: usize = 4 * MIB;
/// Longer than the longest wait that a client may ask for, which is a minute.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(75);

/// The middleware and the common pages of a process.
#[derive(Clone, Debug)]
pub struct HttpStack {
    pub health: Health,
    pub metrics: PrometheusHandle,
    /// The catalogues of the services in this process, for the pages of their codes.
    pub catalogues: Vec<&'static [&'static ProblemKind]>,
    pub request_timeout: Duration,
}

impl HttpStack {
    /// A stack with the usual limits and the common catalogue.
    pub fn new(health: Health, metrics: PrometheusHandle) -> HttpStack {
        HttpStack { health, metrics, catalogues: Vec::new(), request_timeout: REQUEST_TIMEOUT }
    }

    /// Adds the pages of another catalogue. May be called several times: a kind that several catalogues contain has one
    /// page.
    #[must_use]
    pub fn with_catalogue(mut self, catalogue: &'static [&'static ProblemKind]) -> HttpStack {
        self.catalogues.push(catalogue);
        self
    }

    /// Everything that a process serves: the routes, `/livez`, `/readyz`, `/metrics`, `/problems`, and a problem for
    /// every failure outside of a handler.
    pub fn wrap(self, routes: Router) -> Router {
        let pages = pages::router(self.health, self.metrics, &self.catalogues);
        routes
            .merge(pages)
            .fallback(nothing_here)
            .method_not_allowed_fallback(no_such_method)
            // One layer made of two: each layer of a router costs every request allocations of its own.
            .layer((
                middleware::RequestLayer::new(self.request_timeout),
                DefaultBodyLimit::max(BODY_MAX_BYTES),
            ))
    }
}

async fn nothing_here() -> Problem {
    Problem::new(&kinds::NOT_FOUND, "There is nothing at this address.")
}

async fn no_such_method() -> Problem {
    Problem::new(&kinds::METHOD_NOT_ALLOWED, "This address does not support this method.")
}
