//! Problems: every error response is a problem document (RFC 9457).
//!
//! A problem has two audiences. The caller reads the document: a stable code, a sentence, and advice. The operator reads
//! the output of the process, which shows the cause together with the id of the request; the cause is never sent.

pub mod kinds;
mod openapi;

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use ::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use ::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use recount_core::ErrorChain;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use utoipa::openapi::schema::AdditionalProperties;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::database::Failure;

pub use openapi::responses;

/// The media type of a problem document.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// The address of the pages that explain the codes; the `type` of a problem refers to one of them.
pub const PAGES: &str = "/problems/";

/// The default of Retry-After.
const RETRY_AFTER_SECONDS: u64 = 1;

/// Makes a list of problem kinds with one status: of each its code, its title and its advice.
#[macro_export]
macro_rules! problem_kinds {
    ($(#[$doc:meta])* $visibility:vis $list:ident = $status:literal: $($code:literal $title:literal $advice:literal)*) => {
        $(#[$doc])*
        $visibility static $list: &[&$crate::problem::ProblemKind] = &[$(
            &$crate::problem::ProblemKind { code: $code, status: $status, title: $title, advice: $advice },
        )*];
    };
}

/// One row of a catalogue: what all problems with this code have in common.
#[derive(Debug, PartialEq, Eq)]
pub struct ProblemKind {
    /// Never changes: clients may depend on it.
    pub code: &'static str,
    pub status: u16,
    pub title: &'static str,
    /// What the caller should do.
    pub advice: &'static str,
}

/// An error response.
#[derive(Clone, Debug)]
pub struct Problem {
    kind: &'static ProblemKind,
    detail: Cow<'static, str>,
    members: Vec<(Cow<'static, str>, Value)>,
    retry_after_seconds: Option<u64>,
    cause: Option<Box<str>>,
}

/// The cause of a problem. It travels beside the response, and the HTTP stack prints it.
#[derive(Clone, Debug)]
pub struct Cause {
    pub code: &'static str,
    pub text: Box<str>,
}

impl Problem {
    /// A problem of this kind. The detail is a sentence for the caller about this occurrence.
    pub fn new(kind: &'static ProblemKind, detail: impl Into<Cow<'static, str>>) -> Problem {
        let unavailable = kind.status == StatusCode::SERVICE_UNAVAILABLE.as_u16();
        Problem {
            kind,
            detail: detail.into(),
            members: Vec::new(),
            retry_after_seconds: unavailable.then_some(RETRY_AFTER_SECONDS),
            cause: None,
        }
    }

    /// An unexpected error. The caller learns nothing about the cause.
    pub fn internal(cause: &dyn Error) -> Problem {
        Problem::new(&kinds::INTERNAL, "Internal error.").caused_by(cause)
    }

    /// A failed read. Not for writes: a failed write may have been executed.
    pub fn of_database(error: &sqlx::Error) -> Problem {
        if Failure::of(error).may_pass() {
            Problem::new(&kinds::STORE_UNAVAILABLE, "The database is unavailable.").caused_by(error)
        } else {
            Problem::internal(error)
        }
    }

    /// Adds an extension member to the document.
    #[must_use]
    pub fn with(mut self, member: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Problem {
        self.members.push((member.into(), value.into()));
        self
    }

    /// Sets Retry-After.
    #[must_use]
    pub fn retry_after_seconds(mut self, seconds: u64) -> Problem {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// Keeps an error with its sources for the output of the process.
    #[must_use]
    pub fn caused_by(mut self, error: &dyn Error) -> Problem {
        self.cause = Some(ErrorChain(error).to_string().into());
        self
    }

    pub fn kind(&self) -> &'static ProblemKind {
        self.kind
    }

    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The document.
    pub fn body_json(&self) -> Value {
        serde_json::to_value(self).expect("a problem is a map with string keys")
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.code, self.detail)
    }
}

impl Error for Problem {}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(5 + self.members.len()))?;
        map.serialize_entry("type", &format_args!("{PAGES}{}", self.kind.code))?;
        map.serialize_entry("title", self.kind.title)?;
        map.serialize_entry("status", &self.kind.status)?;
        map.serialize_entry("detail", &self.detail)?;
        map.serialize_entry("code", self.kind.code)?;
        for (member, value) in &self.members {
            map.serialize_entry(member, value)?;
        }
        map.end()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.kind.status)
            .expect("the catalogue contains only valid statuses: its test says so");
        let body = serde_json::to_vec(&self).expect("a problem is a map with string keys");
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(text) = self.cause {
            let code = self.kind.code;
            response.extensions_mut().insert(Cause { code, text });
        }
        response
    }
}

/// The document as OpenAPI describes it.
#[derive(Debug, ToSchema)]
#[schema(
    description = "RFC 9457 problem document. `code` is stable; `type` is the address of its page. Further members hold \
        the names and figures in the detail.",
    example = json!({
        "type": "/problems/invalid-request",
        "title": "The request is not valid",
        "status": 400,
        "detail": "The parameter `limit`: expected a whole number.",
        "code": "invalid-request",
        "parameter": "limit"
    })
)]
#[expect(dead_code, reason = "only its schema is used; problems are written by `Problem` itself")]
struct Document {
    #[schema(format = "uri-reference")]
    r#type: String,
    title: String,
    status: u16,
    detail: String,
    code: String,
    /// The JSON pointer (RFC 6901) of the invalid part of the body; empty if it is the whole body.
    #[schema(nullable = false, example = "/0/command")]
    pointer: Option<String>,
    /// The invalid query parameter.
    #[schema(nullable = false, example = "limit")]
    parameter: Option<String>,
    /// The invalid request header.
    #[schema(nullable = false, example = "recount-at-least")]
    header: Option<String>,
    /// The index of the rejected command in an atomic batch, from 0.
    #[schema(nullable = false, example = 2)]
    failed_command: Option<u32>,
}

impl PartialSchema for Problem {
    fn schema() -> RefOr<Schema> {
        let mut schema = Document::schema();
        if let RefOr::T(Schema::Object(document)) = &mut schema {
            document.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(true)));
        }
        schema
    }
}

impl ToSchema for Problem {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Problem")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_problem_is_an_rfc_9457_document_with_a_code() {
        let problem = Problem::new(&kinds::NOT_FOUND, "There is no paint `x`.").with("paint", "x");
        assert_eq!(
            problem.body_json(),
            json!({
                "type": "/problems/not-found",
                "title": kinds::NOT_FOUND.title,
                "status": 404,
                "detail": "There is no paint `x`.",
                "code": "not-found",
                "paint": "x",
            })
        );
    }

    #[test]
    fn the_schema_describes_the_common_members_and_allows_more() {
        let schema = serde_json::to_value(Problem::schema()).unwrap();
        assert_eq!(schema["required"], json!(["type", "title", "status", "detail", "code"]));
        for (member, kind) in [
            ("pointer", "string"),
            ("parameter", "string"),
            ("header", "string"),
            ("failed_command", "integer"),
        ] {
            assert_eq!(schema["properties"][member]["type"], kind, "{member}");
        }
        assert_eq!(schema["additionalProperties"], true);
    }

    #[test]
    fn a_503_has_retry_after() {
        let response = Problem::new(&kinds::BUSY, "The inbox is full.").into_response();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()[RETRY_AFTER], "1");
        let response =
            Problem::new(&kinds::BUSY, "The inbox is full.").retry_after_seconds(9).into_response();
        assert_eq!(response.headers()[RETRY_AFTER], "9");
    }

    #[test]
    fn a_401_asks_for_a_bearer_token() {
        let response = Problem::new(&kinds::KEY_MISSING, "No key was sent.").into_response();
        assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer");
    }

    #[test]
    fn the_cause_is_kept_beside_the_response_and_not_sent() {
        let error = sqlx::Error::Protocol("secret internals".into());
        let problem = Problem::of_database(&error);
        assert!(!problem.body_json().to_string().contains("secret internals"));
        let response = problem.into_response();
        let cause = response.extensions().get::<Cause>().expect("the cause is kept");
        assert!(cause.text.contains("secret internals"), "{}", cause.text);
    }
}
