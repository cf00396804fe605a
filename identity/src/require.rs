//! The check in front of every route that needs a key.

use ::http::header::AUTHORIZATION;
use ::http::request::Parts;
use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use recount_service_kit::http::Actor;
use recount_service_kit::problem::{Problem, kinds};

use crate::{Authenticator, Identity};

const SCHEME: &str = "bearer";

/// Adds the caller's `Identity` to the request, or refuses the request. Use it with `axum::middleware::from_fn_with_state`.
pub async fn require(
    State(authenticator): State<Authenticator>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let identity = authenticator.identify(bearer(&request)?).await?;
    request.extensions_mut().insert(Actor(identity.key_id.clone()));
    request.extensions_mut().insert(identity);
    Ok(next.run(request).await)
}

fn bearer(request: &Request) -> Result<&str, Problem> {
    let value = request
        .headers()
        .get(AUTHORIZATION)
        .ok_or_else(|| Problem::new(&kinds::KEY_MISSING, "The request has no Authorization header."))?;
    let (scheme, key) = value.to_str().ok().and_then(|text| text.split_once(' ')).unwrap_or_default();
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return Err(Problem::new(
            &kinds::KEY_MISSING,
            "The Authorization header does not have the form `Bearer rk_…`.",
        ));
    }
    Ok(key.trim())
}

/// On a route without the check, a handler that takes an `Identity` refuses every request.
impl<S: Sync> FromRequestParts<S> for Identity {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Identity, Problem> {
        parts
            .extensions
            .get::<Identity>()
            .cloned()
            .ok_or_else(|| Problem::new(&kinds::KEY_MISSING, "The request was not checked for a key."))
    }
}
