//! Problems in an OpenAPI document: the responses of an operation, generated from the catalogue.

use std::collections::BTreeMap;
use std::fmt::Write;

use utoipa::ToSchema;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Header, HeaderBuilder, Ref, RefOr};

use super::{MEDIA_TYPE, Problem, ProblemKind};

/// The responses for these problems, one for each status, with an example for each code.
///
/// For `utoipa::IntoResponses`, so that an operation only names its problems.
pub fn responses(kinds: &[&'static ProblemKind]) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<u16, Vec<&ProblemKind>> = BTreeMap::new();
    for kind in kinds {
        by_status.entry(kind.status).or_default().push(kind);
    }
    by_status.into_iter().map(|(status, kinds)| (status.to_string(), RefOr::T(response(&kinds)))).collect()
}

fn response(kinds: &[&'static ProblemKind]) -> Response {
    let mut description = String::new();
    let mut content = ContentBuilder::new().schema(Some(Ref::from_schema_name(Problem::name())));
    for kind in kinds {
        writeln!(description, "- `{}`: {}. {}", kind.code, kind.title, kind.advice)
            .expect("writing into a string does not fail");
        let document = Problem::new(kind, format!("{}.", kind.title)).body_json();
        let example = ExampleBuilder::new().value(Some(document)).build();
        content = content.examples_from_iter([(kind.code, example)]);
    }
    let response = ResponseBuilder::new().description(description).content(MEDIA_TYPE, content.build());
    let response = match kinds.first().map_or(0, |kind| kind.status) {
        401 => response.header("WWW-Authenticate", header(Type::String, "`Bearer`")),
        503 => {
            response.header("Retry-After", header(Type::Integer, "Seconds to wait before the next attempt"))
        }
        _ => response,
    };
    response.build()
}

fn header(of_type: Type, description: &str) -> Header {
    let schema = ObjectBuilder::new().schema_type(of_type).build();
    HeaderBuilder::new().schema(Some(schema)).description(Some(description)).build()
}

#[cfg(test)]
mod tests {
    use super::super::kinds;
    use super::*;

    #[test]
    fn kinds_with_the_same_status_share_a_response_with_an_example_each() {
        let responses = responses(&[&kinds::BUSY, &kinds::STORE_UNAVAILABLE, &kinds::NOT_FOUND]);
        assert_eq!(responses.keys().collect::<Vec<_>>(), ["404", "503"]);
        let text = serde_json::to_value(&responses["503"]).unwrap();
        let examples = &text["content"]["application/problem+json"]["examples"];
        assert_eq!(examples["busy"]["value"]["status"], 503);
        assert_eq!(examples["store-unavailable"]["value"]["code"], "store-unavailable");
        assert_eq!(text["headers"]["Retry-After"]["schema"]["type"], "integer");
    }
}
