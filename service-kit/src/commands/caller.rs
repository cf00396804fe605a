//! The caller of a command: identity, idempotency key and trace.

use std::sync::Arc;

use crate::http::Actor;
use crate::problem::{Problem, kinds};
use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use serde::Serialize;

use super::structured_field;
use recount_writer::{IdempotencyKey, Submission};

/// The longest idempotency key: room for a few ids, too short for a document.
const KEY_LEN_MAX: usize = 255;
/// `version-trace-parent-flags`, all hexadecimal.
const TRACEPARENT_LEN: usize = 55;
/// The memory that a command takes beside its text.
const COMMAND_OVERHEAD_BYTES: usize = 512;

/// Who sends a request, under which idempotency key and in which trace.
#[derive(Debug)]
pub struct Caller {
    actor: Actor,
    key: Option<String>,
    traceparent: Option<String>,
}

/// How a submission is handled.
#[derive(Clone, Copy, Debug, Default)]
pub struct SubmitOptions {
    /// All or nothing, instead of each command on its own.
    pub atomic: bool,
    /// Decide, and record nothing.
    pub dry_run: bool,
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Caller, Problem> {
        let actor = parts.extensions.get::<Actor>().cloned();
        Ok(Caller {
            actor: actor.ok_or_else(|| Problem::new(&kinds::KEY_MISSING, "The request has no key."))?,
            key: idempotency_key(&parts.headers)?,
            traceparent: traceparent(&parts.headers),
        })
    }
}

/// The idempotency key: an RFC 8941 string in quotes, or the same text bare, as many clients send it.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let invalid = || {
        let detail = format!(
            "An Idempotency-Key is 1 to {KEY_LEN_MAX} printable ASCII characters, in quotes or bare. In quotes, `\"` and \
             `\\` are escaped with a `\\`."
        );
        Problem::new(&kinds::IDEMPOTENCY_KEY_INVALID, detail)
    };
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(invalid());
    }
    let text = value.to_str().map_err(|_| invalid())?.trim();
    let key = if text.starts_with('"') {
        structured_field::unquote(text).ok_or_else(invalid)?
    } else {
        text.to_owned()
    };
    if (1..=KEY_LEN_MAX).contains(&key.len()) && key.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        Ok(Some(key))
    } else {
        Err(invalid())
    }
}

/// The trace that the request belongs to, if it is given in the form of W3C Trace Context.
fn traceparent(headers: &HeaderMap) -> Option<String> {
    let text = headers.get("traceparent")?.to_str().ok()?;
    let well_formed =
        text.len() == TRACEPARENT_LEN && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    well_formed.then(|| text.to_owned())
}

/// The metadata of every event that the caller causes.
#[derive(Serialize)]
struct Meta<'a> {
    actor: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<&'a str>,
}

impl Caller {
    /// The submission of these commands. `request` holds the parts that distinguish the request from every other.
    pub fn submission<C>(
        &self,
        commands: Vec<C>,
        options: SubmitOptions,
        request: &[&[u8]],
    ) -> Submission<C> {
        let SubmitOptions { atomic, dry_run } = options;
        let key = self.key.as_deref().map(|key| IdempotencyKey::new(key, request));
        let bytes =
            request.iter().map(|part| part.len()).sum::<usize>() + commands.len() * COMMAND_OVERHEAD_BYTES;
        Submission { commands, atomic, dry_run, key, meta: self.meta(), bytes }
    }

    fn meta(&self) -> Arc<str> {
        let meta = Meta { actor: &self.actor.0, traceparent: self.traceparent.as_deref() };
        serde_json::to_string(&meta).expect("two strings are JSON").into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Result<Option<String>, Problem> {
        let mut headers = HeaderMap::new();
        headers.insert("idempotency-key", text.parse().unwrap());
        idempotency_key(&headers)
    }

    #[test]
    fn an_idempotency_key_is_a_string_in_quotes_or_bare() {
        let longest = "x".repeat(KEY_LEN_MAX);
        for (text, expected) in [
            ("order-1", "order-1"),
            (r#""order-1""#, "order-1"),
            ("order 1", "order 1"),
            (r#"" order 1""#, " order 1"),
            (r#""a\"b\\c""#, r#"a"b\c"#),
            (r#"a"b\c"#, r#"a"b\c"#),
            (&longest, &longest),
            (&format!("\"{longest}\""), &longest),
        ] {
            assert_eq!(key(text).unwrap().as_deref(), Some(expected), "{text}");
        }
        for text in [
            "",
            "\"",
            "\"\"",
            r#""a"#,
            r#""a"b""#,
            r#""a\n""#,
            r#""a\""#,
            r#""a";b"#,
            "a\tb",
            &"x".repeat(256),
        ] {
            assert!(key(text).is_err(), "{text}");
        }
        assert_eq!(idempotency_key(&HeaderMap::new()).unwrap(), None);
    }
}
