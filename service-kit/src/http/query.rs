//! The query string, with a problem that names the parameter that is to blame.

use std::error::Error;

use ::http::request::Parts;
use axum::extract::FromRequestParts;
use axum::extract::rejection::QueryRejection;
use serde::Deserialize;
use serde::de::{DeserializeOwned, value};
use serde_path_to_error::Segment;

use crate::problem::{Problem, kinds};

/// The query string, read into a struct. The struct denies unknown fields, or unknown parameters are ignored.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Query<T>, Problem> {
        axum::extract::Query::try_from_uri(&parts.uri)
            .map(|axum::extract::Query(query)| Query(query))
            .map_err(|rejection| query_problem(&rejection))
    }
}

/// The query string of an address that takes no parameters. A parameter that is not understood must not be passed over: it
/// may have been meant to change what is done or shown.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoParameters {}

/// The query parameter that has not the form that is needed; the detail is a sentence.
pub fn invalid_parameter(parameter: &str, detail: String) -> Problem {
    Problem::new(&kinds::INVALID_REQUEST, detail).with("parameter", parameter)
}

fn query_problem(rejection: &QueryRejection) -> Problem {
    let Some(error) = reader_error(rejection) else {
        return Problem::new(&kinds::INVALID_REQUEST, "The query string cannot be read.");
    };
    let reason = error.inner().to_string();
    let twice = reason.strip_prefix("duplicate field `").and_then(|rest| rest.strip_suffix('`'));
    if let Some(parameter) = twice {
        return invalid_parameter(parameter, format!("The parameter `{parameter}` is there twice."));
    }
    let Some(Segment::Map { key: parameter }) = error.path().iter().next() else {
        return Problem::new(&kinds::INVALID_REQUEST, format!("The query string cannot be read: {reason}."));
    };
    if reason.starts_with("unknown field ") {
        let known = reason.rsplit_once(", expected ").map_or_else(
            || "this address takes none".to_owned(),
            |(_, known)| format!("expected {}", known.replace("one of ", "")),
        );
        let detail = format!("The parameter `{parameter}` is not known here; {known}.");
        return invalid_parameter(parameter, detail);
    }
    invalid_parameter(parameter, format!("The parameter `{parameter}`: {}.", in_words(&reason)))
}

/// What the reader of the query string says, with the parameter that it was at.
fn reader_error(rejection: &QueryRejection) -> Option<&serde_path_to_error::Error<value::Error>> {
    let mut source: Option<&(dyn Error + 'static)> = rejection.source();
    while let Some(error) = source {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        source = error.source();
    }
    None
}

/// The reason as a clause, without the words of the language that the service is written in.
fn in_words(reason: &str) -> String {
    match reason {
        "invalid digit found in string" | "cannot parse integer from empty string" => {
            "expected a whole number".to_owned()
        }
        "number too large to fit in target type" => "the number is too large".to_owned(),
        "number too small to fit in target type" => "the number is too small".to_owned(),
        "provided string was not `true` or `false`" => "expected `true` or `false`".to_owned(),
        _ => match reason.strip_prefix("unknown variant ").and_then(|rest| rest.rsplit_once(", expected ")) {
            Some((found, known)) => format!("{found} is not known here, expected {known}"),
            None => reason.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::http::Request;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only reading it matters")]
    struct Parameters {
        #[serde(default)]
        after: i64,
        #[serde(default)]
        dry_run: bool,
        colour: Option<Colour>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Colour {
        Red,
        Blue,
    }

    async fn refused<T: DeserializeOwned>(query: &str) -> (String, String) {
        let (mut parts, ()) = Request::get(format!("/x?{query}")).body(()).unwrap().into_parts();
        let read = Query::<T>::from_request_parts(&mut parts, &()).await;
        let problem = read.err().unwrap();
        assert_eq!(problem.kind().code, "invalid-request", "{problem}");
        (
            problem.body_json()["parameter"].as_str().unwrap_or_default().to_owned(),
            problem.detail().to_owned(),
        )
    }

    #[tokio::test]
    async fn the_parameter_that_is_to_blame_is_named() {
        for (query, parameter, detail) in [
            ("after=x", "after", "The parameter `after`: expected a whole number."),
            ("after=", "after", "The parameter `after`: expected a whole number."),
            ("after=99999999999999999999", "after", "The parameter `after`: the number is too large."),
            ("dry_run=yes", "dry_run", "The parameter `dry_run`: expected `true` or `false`."),
            ("after=1&after=2", "after", "The parameter `after` is there twice."),
            (
                "colour=green",
                "colour",
                "The parameter `colour`: `green` is not known here, expected `red` or `blue`.",
            ),
            (
                "after=1&bogus=1",
                "bogus",
                "The parameter `bogus` is not known here; expected `after`, `dry_run`, `colour`.",
            ),
        ] {
            assert_eq!(refused::<Parameters>(query).await, (parameter.to_owned(), detail.to_owned()));
        }
    }

    #[tokio::test]
    async fn an_address_without_parameters_takes_none() {
        assert_eq!(
            refused::<NoParameters>("bogus=1").await,
            (
                "bogus".to_owned(),
                "The parameter `bogus` is not known here; this address takes none.".to_owned()
            )
        );
    }
}
