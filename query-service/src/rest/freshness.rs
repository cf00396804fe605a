//! The freshness headers of a request: `Recount-At-Least`, and `Prefer: wait` (RFC 7240).

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, HeaderName};
use recount_service_kit::problem::{Problem, kinds};
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

use crate::read::Freshness;

/// The header with the position that an answer has to reflect at least.
pub(super) const AT_LEAST: HeaderName = HeaderName::from_static("recount-at-least");
const PREFER: HeaderName = HeaderName::from_static("prefer");

impl<S: Sync> FromRequestParts<S> for Freshness {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Freshness, Problem> {
        freshness(&parts.headers)
    }
}

fn freshness(headers: &HeaderMap) -> Result<Freshness, Problem> {
    let at_least = match headers.get(&AT_LEAST) {
        None => None,
        Some(value) => Some(position(value.to_str().unwrap_or_default())?),
    };
    let wait_seconds = headers
        .get_all(&PREFER)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .find_map(wait_seconds);
    Ok(Freshness::new(at_least, wait_seconds))
}

fn position(text: &str) -> Result<i64, Problem> {
    text.parse().ok().filter(|position| *position >= 0).ok_or_else(|| {
        Problem::new(
            &kinds::INVALID_REQUEST,
            "The header Recount-At-Least has to be a position, a whole number from 0 up.",
        )
        .with("header", AT_LEAST.as_str())
    })
}

/// The seconds of a `wait` preference. As RFC 7240 requires, a malformed preference is ignored.
fn wait_seconds(preference: &str) -> Option<u64> {
    let (name, value) = preference.split(';').next()?.split_once('=')?;
    let value = value.trim().trim_matches('"');
    name.trim().eq_ignore_ascii_case("wait").then(|| value.parse().ok())?
}

/// The headers as the OpenAPI document describes them.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only its description is used")]
struct Headers {
    /// The position that the answer has to reflect at least.
    #[param(rename = "Recount-At-Least", minimum = 0)]
    at_least: Option<i64>,
    /// `wait=SECONDS`: how long to wait for that position (default 5, at most 60).
    #[param(rename = "Prefer")]
    prefer: Option<String>,
}

impl IntoParams for Freshness {
    fn into_params(parameter_in_provider: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        Headers::into_params(parameter_in_provider)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[(&'static str, &'static str)]) -> Result<Freshness, Problem> {
        let headers =
            headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        freshness(&headers.collect())
    }

    #[test]
    fn without_headers_the_current_position_is_fresh_enough() {
        assert_eq!(read(&[]).unwrap(), Freshness::default());
    }

    #[test]
    fn a_wait_is_found_among_other_preferences_and_limited() {
        let found = read(&[("recount-at-least", "7"), ("prefer", "respond-async, wait=3; foo=bar")]).unwrap();
        assert_eq!(
            (found.at_least(), found.timeout().as_secs(), found.applied_wait_seconds()),
            (7, 3, Some(3))
        );
        let long = read(&[("recount-at-least", "7"), ("prefer", "Wait=900")]).unwrap();
        assert_eq!(long.applied_wait_seconds(), Some(60));
    }

    #[test]
    fn a_malformed_wait_is_ignored() {
        let found = read(&[("recount-at-least", "7"), ("prefer", "wait=soon")]).unwrap();
        assert_eq!((found.timeout().as_secs(), found.applied_wait_seconds()), (5, None));
    }

    #[test]
    fn a_wait_without_a_position_does_not_apply() {
        assert_eq!(read(&[("prefer", "wait=3")]).unwrap().applied_wait_seconds(), None);
    }

    #[test]
    fn a_malformed_position_is_refused() {
        for text in ["", "-1", "x", "1.5", "9223372036854775808"] {
            let problem = read(&[("recount-at-least", text)]).unwrap_err();
            assert_eq!(problem.kind().code, "invalid-request", "{text:?}");
        }
    }
}
