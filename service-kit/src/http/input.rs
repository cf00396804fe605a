//! What comes in, with a problem for whatever has not the form that is needed.

use ::http::header::CONTENT_TYPE;
use ::http::request::Parts;
use ::http::{HeaderMap, StatusCode};
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path as JsonPath, Segment};

use crate::problem::{Problem, kinds};

/// The bytes of a body that is said to be JSON, within the limit.
#[derive(Clone, Debug)]
pub struct JsonBody(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<JsonBody, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::new(
                &kinds::UNSUPPORTED_MEDIA_TYPE,
                "The body has to be sent with `Content-Type: application/json`.",
            ));
        }
        let body = Bytes::from_request(request, state).await;
        body.map(JsonBody).map_err(|rejection| body_problem(&rejection))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let essence = value.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
        || essence.rsplit_once('+').is_some_and(|(_, suffix)| suffix.eq_ignore_ascii_case("json"))
}

fn body_problem(rejection: &BytesRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        Problem::new(&kinds::BODY_TOO_LARGE, "The body is longer than is taken at once.")
    } else {
        Problem::new(&kinds::INVALID_REQUEST, "The body did not arrive whole.")
    }
}

/// Reads JSON; says where it stops being JSON, or which part of it has not the type that is needed.
pub fn parse_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    parse_json_within(body, "")
}

/// The same for a part of a larger document: pointers start with the JSON pointer of the part.
pub fn parse_json_within<T: DeserializeOwned>(body: &[u8], pointer: &str) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let read = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let pointer = format!("{pointer}{}", json_pointer(error.path()));
        json_problem(error.inner(), pointer)
    })?;
    reader.end().map_err(|error| json_problem(&error, pointer.to_owned()))?;
    Ok(read)
}

fn json_problem(error: &serde_json::Error, pointer: String) -> Problem {
    if error.is_data() {
        Problem::new(&kinds::INVALID_REQUEST, format!("At `{pointer}`: {}.", sentence(error)))
            .with("pointer", pointer)
    } else {
        Problem::new(&kinds::MALFORMED_JSON, format!("The body is not JSON: {error}."))
    }
}

/// The error without its place: a line and a column say little about a value that was read from within a document.
fn sentence(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).unwrap_or(&text).to_owned()
}

fn json_pointer(path: &JsonPath) -> String {
    use std::fmt::Write;
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => {
                write!(pointer, "/{index}").expect("writing into a string does not fail")
            }
            Segment::Map { key } | Segment::Enum { variant: key } => {
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            Segment::Unknown => {}
        }
    }
    pointer
}

/// The query string, read into a struct. The struct denies unknown fields, or unknown parameters are ignored.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Query<T>, Problem> {
        axum::extract::Query::try_from_uri(&parts.uri)
            .map(|axum::extract::Query(query)| Query(query))
            .map_err(|rejection| {
                let text = rejection.body_text();
                let reason = text.rsplit_once("query string: ").map_or(&*text, |(_, reason)| reason);
                Problem::new(&kinds::INVALID_REQUEST, format!("The query string cannot be read: {reason}."))
            })
    }
}

/// The variable parts of the path.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Path<T>, Problem> {
        axum::extract::Path::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Path(path)| Path(path))
            .map_err(|rejection| {
                Problem::new(
                    &kinds::INVALID_REQUEST,
                    format!("The path cannot be read: {}.", rejection.body_text()),
                )
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only reading it matters")]
    struct Order {
        lines: Vec<Line>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only reading it matters")]
    struct Line {
        amount: String,
    }

    #[test]
    fn a_wrong_type_is_named_with_its_place() {
        let problem = parse_json::<Order>(br#"{"lines":[{"amount":"1"},{"amount":2}]}"#).unwrap_err();
        assert_eq!(problem.kind().code, "invalid-request");
        assert_eq!(problem.body_json()["pointer"], "/lines/1/amount");
        assert!(!problem.detail().contains("column"), "{}", problem.detail());
    }

    #[test]
    fn an_unknown_field_is_named_with_its_place() {
        let problem = parse_json_within::<Line>(br#"{"amount":"1","colour":"red"}"#, "/lines/0").unwrap_err();
        assert_eq!(problem.kind().code, "invalid-request");
        assert_eq!(problem.body_json()["pointer"], "/lines/0/colour");
        assert!(problem.detail().contains("unknown field `colour`"), "{}", problem.detail());
    }

    #[test]
    fn what_is_no_json_is_malformed() {
        for body in ["", "{", "{\"lines\":[]} x", "\u{1}"] {
            let problem = parse_json::<Order>(body.as_bytes()).unwrap_err();
            assert_eq!(problem.kind().code, "malformed-json", "{body:?}");
        }
    }
}
