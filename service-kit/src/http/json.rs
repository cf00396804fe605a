//! Parsing JSON: a problem gives the place of a syntax error, or the part that does not match the expected type.

use std::borrow::Cow;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde_path_to_error::{Path, Segment};

use crate::problem::{Problem, kinds};

/// Errors for input that the grammar of JSON allows and that is refused nevertheless: half a character, and unlimited
/// nesting.
const REFUSED_SYNTAX: [&str; 3] =
    ["lone leading surrogate", "unexpected end of hex escape", "recursion limit exceeded"];

/// Parses JSON. The problem gives the place of a syntax error, or the part that has the wrong type.
pub fn parse_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    parse_json_within(body, "")
}

/// The same for a part of a larger document: pointers start with the JSON pointer of that part.
pub fn parse_json_within<T: DeserializeOwned>(body: &[u8], pointer: &str) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let read = serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| json_problem(body, error.inner(), || format!("{pointer}{}", pointer_of(&error))))?;
    reader.end().map_err(|error| json_problem(body, &error, || pointer.to_owned()))?;
    Ok(read)
}

/// The problem of an invalid value at this JSON pointer; the reason is a clause.
pub fn invalid_at(pointer: impl Into<String>, reason: &str) -> Problem {
    let pointer = pointer.into();
    let detail = match &*pointer {
        "" => format!("At the top level: {reason}."),
        pointer => format!("At `{pointer}`: {reason}."),
    };
    Problem::new(&kinds::INVALID_REQUEST, detail).with("pointer", pointer)
}

fn json_problem(body: &[u8], error: &serde_json::Error, pointer: impl FnOnce() -> String) -> Problem {
    // The parser reports some well-formed JSON as a syntax error, such as two members in an object that takes one.
    if error.is_data() || is_well_formed(body, error) {
        invalid_at(pointer(), &in_json_terms(&without_place(error)))
    } else {
        Problem::new(&kinds::MALFORMED_JSON, format!("The body is not valid JSON: {error}."))
    }
}

fn is_well_formed(body: &[u8], error: &serde_json::Error) -> bool {
    let text = error.to_string();
    let grammatical =
        || std::str::from_utf8(body).is_ok_and(|body| serde_json::from_str::<IgnoredAny>(body).is_ok());
    !REFUSED_SYNTAX.iter().any(|reason| text.starts_with(reason)) && grammatical()
}

/// The error without its place: a line and a column say little about a value inside a larger document.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).unwrap_or(&text).to_owned()
}

fn pointer_of(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    let mut segments: Vec<&Segment> = Path::iter(error.path()).collect();
    // A bare string has nothing below it.
    let alone = error.inner().to_string().starts_with("invalid type: unit variant");
    segments.pop_if(|last| alone && matches!(last, Segment::Enum { .. }));
    segments.into_iter().map(token).collect()
}

fn token(segment: &Segment) -> String {
    match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } | Segment::Enum { variant: key } => {
            format!("/{}", key.replace('~', "~0").replace('/', "~1"))
        }
        Segment::Unknown => String::new(),
    }
}

/// The message of the parser, with the terms of JSON in place of those of Rust.
fn in_json_terms(text: &str) -> String {
    const ONE_OF_SEVERAL: &str =
        "expected one of several forms: a string, or an object with exactly one member";
    // The last match: the first part of the message quotes the client, so it may contain anything.
    let expectation = text.rsplit_once(", expected ");
    if text == "expected value" {
        return ONE_OF_SEVERAL.to_owned();
    }
    if let Some((found, known)) = expectation
        && let Some(found) = found.strip_prefix("unknown variant ")
    {
        return format!("unknown value {found}, expected {known}");
    }
    if let Some((found, expected)) = expectation
        && let Some(found) = found.strip_prefix("invalid type: ").or(found.strip_prefix("invalid value: "))
    {
        return format!("expected {}, found {}", wanted(expected), given(found));
    }
    if let Some((_, expected)) = expectation
        && text.starts_with("invalid length ")
        && expected.starts_with("struct ")
    {
        return "expected an object, found a list".to_owned();
    }
    text.to_owned()
}

fn wanted(expected: &str) -> Cow<'_, str> {
    let numbers = |min: String, max: String| Cow::Owned(format!("a whole number from {min} to {max}"));
    match expected {
        "a sequence" => "a list".into(),
        "a map" | "struct variant" | "tuple variant" | "newtype variant" => "an object".into(),
        "a boolean" => "true or false".into(),
        "unit" => "null".into(),
        "u8" => numbers("0".to_owned(), u8::MAX.to_string()),
        "u16" => numbers("0".to_owned(), u16::MAX.to_string()),
        "u32" => numbers("0".to_owned(), u32::MAX.to_string()),
        "u64" | "usize" => numbers("0".to_owned(), u64::MAX.to_string()),
        "i8" => numbers(i8::MIN.to_string(), i8::MAX.to_string()),
        "i16" => numbers(i16::MIN.to_string(), i16::MAX.to_string()),
        "i32" => numbers(i32::MIN.to_string(), i32::MAX.to_string()),
        "i64" | "isize" => numbers(i64::MIN.to_string(), i64::MAX.to_string()),
        "f32" | "f64" => "a number".into(),
        _ if expected.starts_with("struct ") => "an object".into(),
        _ if expected.starts_with("enum ") => "a string, or an object with exactly one member".into(),
        _ => expected.into(),
    }
}

fn given(found: &str) -> Cow<'_, str> {
    match found {
        "sequence" => "a list".into(),
        "map" | "newtype variant" | "struct variant" | "tuple variant" => "an object".into(),
        "unit variant" => "a string alone".into(),
        _ => match found.split_once(' ') {
            Some(("integer" | "floating", number)) => {
                format!("the number {}", number.trim_start_matches("point ")).into()
            }
            Some(("boolean", value)) => value.into(),
            Some(("string", text)) => format!("the string {text}").into(),
            _ => found.into(),
        },
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
        days: Option<u32>,
        paid: Option<Paid>,
        urgent: Option<bool>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only reading it matters")]
    struct Line {
        amount: String,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    #[expect(dead_code, reason = "only reading it matters")]
    enum Paid {
        No,
        Partly(Vec<String>),
    }

    /// The pointer and the detail of the problem with well-formed JSON.
    fn refused(body: &str) -> (String, String) {
        let problem = parse_json::<Order>(body.as_bytes()).unwrap_err();
        assert_eq!(problem.kind().code, "invalid-request", "{body}: {problem}");
        (problem.body_json()["pointer"].as_str().unwrap().to_owned(), problem.detail().to_owned())
    }

    #[test]
    fn the_problem_points_to_a_value_of_the_wrong_type() {
        let (pointer, detail) = refused(r#"{"lines":[{"amount":"1"},{"amount":2}]}"#);
        assert_eq!(pointer, "/lines/1/amount");
        assert_eq!(detail, "At `/lines/1/amount`: expected a string, found the number `2`.");
    }

    #[test]
    fn the_problem_points_to_an_unknown_field() {
        let problem = parse_json_within::<Line>(br#"{"amount":"1","colour":"red"}"#, "/lines/0").unwrap_err();
        assert_eq!(problem.kind().code, "invalid-request");
        assert_eq!(problem.body_json()["pointer"], "/lines/0/colour");
        assert!(problem.detail().contains("unknown field `colour`"), "{}", problem.detail());
    }

    #[test]
    fn a_syntax_error_is_malformed_json() {
        for body in ["", "{", "{\"lines\":[]} x", "\u{1}", r#"{"paid":{"partly":[],"no""#] {
            let problem = parse_json::<Order>(body.as_bytes()).unwrap_err();
            assert_eq!(problem.kind().code, "malformed-json", "{body:?}");
        }
    }

    #[test]
    fn invalid_text_and_unlimited_nesting_are_malformed_json() {
        let deep = format!(r#"{{"lines":{}{}}}"#, "[".repeat(500), "]".repeat(500));
        let deep = parse_json::<serde_json::Value>(deep.as_bytes()).unwrap_err();
        let latin = parse_json::<Line>(b"{\"amount\":\"\xff\"}").unwrap_err();
        let half = parse_json::<Line>(br#"{"amount":"\ud800"}"#).unwrap_err();
        for problem in [deep, latin, half] {
            assert_eq!(problem.kind().code, "malformed-json", "{problem}");
        }
    }

    #[test]
    fn well_formed_json_of_the_wrong_shape_is_an_invalid_request() {
        for (body, pointer) in [
            (r#"{"lines":[],"paid":{"partly":[],"no":null}}"#, "/paid"),
            (r#"{"lines":[],"paid":{}}"#, "/paid"),
            (r#"{"lines":[],"paid":5}"#, "/paid"),
            (r#"{"lines":[],"paid":"partly"}"#, "/paid"),
            (r#"{"lines":[{"amount":1e999}]}"#, "/lines/0/amount"),
        ] {
            let (found, detail) = refused(body);
            assert!(found.starts_with(pointer), "{body}: {found}: {detail}");
        }
        assert_eq!(refused(r#"{"lines":[],"paid":"partly"}"#).0, "/paid");
    }

    #[test]
    fn a_problem_with_the_whole_document_is_at_the_top_level() {
        assert_eq!(
            refused("[]"),
            (String::new(), "At the top level: expected an object, found a list.".to_owned())
        );
        assert_eq!(refused("{}").1, "At the top level: missing field `lines`.");
    }

    #[test]
    fn expectations_are_described_in_json_terms() {
        for (body, said) in [
            ("null", "expected an object, found null"),
            (r#"{"lines":{}}"#, "expected a list, found an object"),
            (r#"{"lines":["x"]}"#, "expected an object, found the string \"x\""),
            (
                r#"{"lines":[],"days":-1}"#,
                "expected a whole number from 0 to 4294967295, found the number `-1`",
            ),
            (
                r#"{"lines":[],"days":1.5}"#,
                "expected a whole number from 0 to 4294967295, found the number `1.5`",
            ),
            (r#"{"lines":[],"urgent":"yes"}"#, "expected true or false, found the string \"yes\""),
            (r#"{"lines":[],"paid":"late"}"#, "unknown value `late`, expected `no` or `partly`"),
            (r#"{"lines":[],"paid":"partly"}"#, "expected an object, found a string alone"),
            (r#"{"lines":[],"paid":{}}"#, "a string, or an object with exactly one member"),
        ] {
            let (_, detail) = refused(body);
            assert!(detail.contains(said), "{body}: {detail}");
        }
    }

    #[test]
    fn a_value_that_looks_like_an_expectation_is_quoted_as_found() {
        let (_, detail) = refused(r#"{"lines":"x, expected u32"}"#);
        assert_eq!(detail, "At `/lines`: expected a list, found the string \"x, expected u32\".");
    }
}
