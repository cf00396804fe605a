//! The HTTP side of a process: what surrounds the routes of a role, and serving them.
//!
//! Every request of the hot path passes here, so that what is done for each of them is counted in nanoseconds: no
//! span, no label look-up, and an id only for answers that somebody may ask about.

mod around;
mod explorer;
mod input;
mod json;
mod pages;
mod query;
mod serve;

use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use metrics_exporter_prometheus::PrometheusHandle;

use crate::health::Health;
use crate::problem::{Problem, ProblemKind, kinds};

pub use around::REQUEST_ID;
pub use explorer::openapi;
pub use input::{JsonBody, Path};
pub use json::{invalid_at, parse_json, parse_json_within};
pub use query::{NoParameters, Query, invalid_parameter};
pub use serve::{BindError, ServeError, bind, serve};

/// A batch of a thousand commands, with room.
pub const BODY_MAX_BYTES: usize = 4 * 1024 * 1024;
/// Longer than the longest wait that a client may ask for, which is a minute.
pub const REQUEST_TIME_MAX: Duration = Duration::from_secs(75);

/// What surrounds the routes of a process.
#[derive(Clone, Debug)]
pub struct Surroundings {
    pub health: Health,
    pub metrics: PrometheusHandle,
    /// The catalogues of the domains that are served here, for the pages of their codes.
    pub catalogues: Vec<&'static [&'static ProblemKind]>,
    pub body_max_bytes: usize,
    pub request_time_max: Duration,
}

impl Surroundings {
    /// With the usual bounds, and no catalogue but the common one.
    pub fn new(health: Health, metrics: PrometheusHandle) -> Surroundings {
        Surroundings {
            health,
            metrics,
            catalogues: Vec::new(),
            body_max_bytes: BODY_MAX_BYTES,
            request_time_max: REQUEST_TIME_MAX,
        }
    }

    /// Adds the pages of another catalogue.
    #[must_use]
    pub fn with_catalogue(mut self, catalogue: &'static [&'static ProblemKind]) -> Surroundings {
        self.catalogues.push(catalogue);
        self
    }

    /// The whole of what a process serves: the routes, `/livez`, `/readyz`, `/metrics`, `/problems`, and a problem
    /// for whatever goes wrong around a handler.
    pub fn surround(self, routes: Router) -> Router {
        let pages = pages::router(self.health, self.metrics, &self.catalogues);
        routes
            .merge(pages)
            .fallback(nothing_here)
            .method_not_allowed_fallback(no_such_method)
            // One layer made of two: each layer of a router costs every request allocations of its own.
            .layer((around::Around::new(self.request_time_max), DefaultBodyLimit::max(self.body_max_bytes)))
    }
}

async fn nothing_here() -> Problem {
    Problem::new(&kinds::NOT_FOUND, "There is nothing at this address.")
}

async fn no_such_method() -> Problem {
    Problem::new(&kinds::METHOD_NOT_ALLOWED, "This address does not take this method.")
}
