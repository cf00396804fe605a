//! Parsing query strings: a problem names the invalid parameter.

use ::http::request::Parts;
use axum::extract::FromRequestParts;
use axum::extract::rejection::QueryRejection;
use recount_core::ErrorChain;
use serde::Deserialize;
use serde::de::{DeserializeOwned, value};
use serde_path_to_error::Segment;

use crate::problem::{Problem, kinds};

/// The query string, parsed into a struct. Unknown parameters are ignored unless the struct denies unknown fields.
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

/// The query string of an address without parameters. Unknown parameters are refused, not ignored: the client may expect
/// them to change the result.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoParameters {}

/// The problem of an invalid query parameter; the detail is a sentence.
pub fn invalid_parameter(parameter: &str, detail: String) -> Problem {
    Problem::new(&kinds::INVALID_REQUEST, detail).with("parameter", parameter)
}

fn query_problem(rejection: &QueryRejection) -> Problem {
    let Some(error) = parser_error(rejection) else {
        return Problem::new(&kinds::INVALID_REQUEST, "The query string is invalid.");
    };
    let reason = error.inner().to_string();
    let twice = reason.strip_prefix("duplicate field `").and_then(|rest| rest.strip_suffix('`'));
    if let Some(parameter) = twice {
        return invalid_parameter(parameter, format!("The parameter `{parameter}` appears twice."));
    }
    let Some(Segment::Map { key: parameter }) = error.path().iter().next() else {
        return Problem::new(&kinds::INVALID_REQUEST, format!("The query string is invalid: {reason}."));
    };
    if reason.starts_with("unknown field ") {
        let known = reason.rsplit_once(", expected ").map_or_else(
            || "this address takes no parameters".to_owned(),
            |(_, known)| format!("expected {}", known.replace("one of ", "")),
        );
        let detail = format!("Unknown parameter `{parameter}`; {known}.");
        return invalid_parameter(parameter, detail);
    }
    invalid_parameter(parameter, format!("The parameter `{parameter}`: {}.", in_words(&reason)))
}

/// The error of the parser, with the parameter that it belongs to.
fn parser_error(rejection: &QueryRejection) -> Option<&serde_path_to_error::Error<value::Error>> {
    ErrorChain(rejection).sources().find_map(|source| source.downcast_ref())
}

/// The reason as a clause, without the terms of Rust.
fn in_words(reason: &str) -> String {
    match reason {
        "invalid digit found in string" | "cannot parse integer from empty string" => {
            "expected a whole number".to_owned()
        }
        "number too large to fit in target type" => "the number is too large".to_owned(),
        "number too small to fit in target type" => "the number is too small".to_owned(),
        "provided string was not `true` or `false`" => "expected `true` or `false`".to_owned(),
        _ => match reason.strip_prefix("unknown variant ").and_then(|rest| rest.rsplit_once(", expected ")) {
            Some((found, known)) => format!("unknown value {found}, expected {known}"),
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
    async fn the_problem_names_the_invalid_parameter() {
        for (query, parameter, detail) in [
            ("after=x", "after", "The parameter `after`: expected a whole number."),
            ("after=", "after", "The parameter `after`: expected a whole number."),
            ("after=99999999999999999999", "after", "The parameter `after`: the number is too large."),
            ("dry_run=yes", "dry_run", "The parameter `dry_run`: expected `true` or `false`."),
            ("after=1&after=2", "after", "The parameter `after` appears twice."),
            (
                "colour=green",
                "colour",
                "The parameter `colour`: unknown value `green`, expected `red` or `blue`.",
            ),
            ("after=1&bogus=1", "bogus", "Unknown parameter `bogus`; expected `after`, `dry_run`, `colour`."),
        ] {
            assert_eq!(refused::<Parameters>(query).await, (parameter.to_owned(), detail.to_owned()));
        }
    }

    #[tokio::test]
    async fn an_address_without_parameters_refuses_any() {
        assert_eq!(
            refused::<NoParameters>("bogus=1").await,
            ("bogus".to_owned(), "Unknown parameter `bogus`; this address takes no parameters.".to_owned())
        );
    }
}
