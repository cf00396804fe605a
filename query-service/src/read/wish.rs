//! What a caller wishes of an answer's freshness: `Recount-At-Least`, within `Prefer: wait`.

use std::time::Duration;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, HeaderName};
use recount_service_kit::problem::{Problem, kinds};

/// The header that says which position an answer reflects.
pub(crate) const POSITION: HeaderName = HeaderName::from_static("recount-position");
/// The header that says which position a caller wishes to see.
pub(crate) const AT_LEAST: HeaderName = HeaderName::from_static("recount-at-least");
const PREFER: HeaderName = HeaderName::from_static("prefer");

const WAIT_SECONDS_DEFAULT: u64 = 5;
const WAIT_SECONDS_MAX: u64 = 60;

/// What the caller wishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    at_least: Option<i64>,
    wait_seconds: Option<u64>,
}

impl Wish {
    /// The position to wait for; zero where the caller takes what there is.
    pub(crate) fn at_least(self) -> i64 {
        self.at_least.unwrap_or(0)
    }

    /// How long to wait for it.
    pub(crate) fn wait(self) -> Duration {
        Duration::from_secs(self.wait_seconds.unwrap_or(WAIT_SECONDS_DEFAULT))
    }

    /// The wait that was asked for and is honoured: it has a meaning only together with a position.
    pub(crate) fn applied(self) -> Option<u64> {
        self.at_least.and(self.wait_seconds)
    }

    fn read(headers: &HeaderMap) -> Result<Wish, Problem> {
        let at_least = match headers.get(&AT_LEAST) {
            None => None,
            Some(value) => Some(position(value.to_str().unwrap_or_default())?),
        };
        let wait_seconds = headers
            .get_all(&PREFER)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .find_map(wait_of)
            .map(|seconds| seconds.min(WAIT_SECONDS_MAX));
        Ok(Wish { at_least, wait_seconds })
    }
}

fn position(text: &str) -> Result<i64, Problem> {
    text.parse().ok().filter(|position| *position >= 0).ok_or_else(|| {
        Problem::new(
            &kinds::INVALID_REQUEST,
            "The header Recount-At-Least is not a position: a whole number from 0 up.",
        )
        .with("header", AT_LEAST.as_str())
    })
}

/// The seconds of a `wait` preference. As RFC 7240 demands, one that cannot be understood is as if it were not there.
fn wait_of(preference: &str) -> Option<u64> {
    let (name, value) = preference.split(';').next()?.split_once('=')?;
    let value = value.trim().trim_matches('"');
    name.trim().eq_ignore_ascii_case("wait").then(|| value.parse().ok())?
}

impl<S: Sync> FromRequestParts<S> for Wish {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Wish, Problem> {
        Wish::read(&parts.headers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(headers: &[(&'static str, &'static str)]) -> Result<Wish, Problem> {
        let headers =
            headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        Wish::read(&headers.collect())
    }

    #[test]
    fn who_wishes_nothing_takes_what_there_is() {
        let wish = wish(&[]).unwrap();
        assert_eq!((wish.at_least(), wish.applied()), (0, None));
    }

    #[test]
    fn a_wait_is_found_among_other_preferences_and_bounded() {
        let found = wish(&[("recount-at-least", "7"), ("prefer", "respond-async, wait=3; foo=bar")]).unwrap();
        assert_eq!((found.at_least(), found.wait().as_secs(), found.applied()), (7, 3, Some(3)));
        let long = wish(&[("recount-at-least", "7"), ("prefer", "Wait=900")]).unwrap();
        assert_eq!(long.applied(), Some(60));
    }

    #[test]
    fn a_wait_that_cannot_be_understood_is_as_if_it_were_not_there() {
        let found = wish(&[("recount-at-least", "7"), ("prefer", "wait=soon")]).unwrap();
        assert_eq!((found.wait().as_secs(), found.applied()), (5, None));
    }

    #[test]
    fn a_wait_for_no_position_is_not_said_to_be_honoured() {
        assert_eq!(wish(&[("prefer", "wait=3")]).unwrap().applied(), None);
    }

    #[test]
    fn what_is_no_position_is_refused() {
        for text in ["", "-1", "x", "1.5", "9223372036854775808"] {
            let problem = wish(&[("recount-at-least", text)]).unwrap_err();
            assert_eq!(problem.kind().code, "invalid-request", "{text:?}");
        }
    }
}
