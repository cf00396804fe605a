//! The body and the path of a request, with a problem for invalid ones.

use ::http::header::CONTENT_TYPE;
use ::http::request::Parts;
use ::http::{HeaderMap, StatusCode};
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use serde::de::DeserializeOwned;

use super::{BODY_MAX_BYTES, MIB};
use crate::problem::{Problem, kinds};

/// The bytes of a body whose media type is JSON, within the size limit.
#[derive(Clone, Debug)]
pub struct JsonBody(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<JsonBody, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::new(
                &kinds::UNSUPPORTED_MEDIA_TYPE,
                "Send the body with `Content-Type: application/json`.",
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
        let detail = format!("The request body exceeds {} MiB.", BODY_MAX_BYTES / MIB);
        Problem::new(&kinds::BODY_TOO_LARGE, detail)
    } else {
        Problem::new(&kinds::INVALID_REQUEST, "The request body was incomplete.")
    }
}

/// The variables of the path.
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
                    format!("The path is invalid: {}.", rejection.body_text()),
                )
            })
    }
}
