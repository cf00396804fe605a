//! The JSON Schemas of the commands and the codes of the rejections, both from the definitions that the service runs
//! on.

use std::collections::{BTreeMap, BTreeSet};

use recount_domain::RejectionCode;
use serde_json::{Map, Value, json};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Components, OpenApi};

use super::commands::{self, CommandKind};

const COMPONENTS: &str = "#/components/schemas/";

/// The JSON Schema of the data of every command, by the command's name.
pub fn command_schemas() -> BTreeMap<&'static str, Value> {
    let document = serde_json::to_value(commands::routes().into_openapi());
    let document = document.expect("an OpenAPI document is JSON");
    let definitions = document["components"]["schemas"].as_object().expect("the document has schemas");
    let schema = |kind: &CommandKind| {
        let operation = &document["paths"][kind.path()]["post"];
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        let name = reference(body).expect("the body of a command is a named schema");
        (kind.as_str(), self_contained(kind.as_str(), name, definitions))
    };
    CommandKind::ALL.iter().map(schema).collect()
}

fn reference(schema: &Value) -> Option<&str> {
    schema.get("$ref")?.as_str()?.strip_prefix(COMPONENTS)
}

/// A schema with all schemas that it refers to, as `$defs`.
fn self_contained(title: &str, name: &str, definitions: &Map<String, Value>) -> Value {
    let mut needed = BTreeSet::new();
    let mut root = definitions[name].clone();
    collect(&root, definitions, &mut needed);
    localise(&mut root);
    let mut defs = Map::new();
    for name in needed {
        let mut definition = definitions[&name].clone();
        localise(&mut definition);
        defs.insert(name, definition);
    }
    let mut schema = json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title});
    let members = schema.as_object_mut().expect("it is an object");
    if let Value::Object(root) = root {
        members.extend(root);
    }
    if !defs.is_empty() {
        members.insert("$defs".to_owned(), Value::Object(defs));
    }
    schema
}

fn collect(schema: &Value, definitions: &Map<String, Value>, needed: &mut BTreeSet<String>) {
    if let Some(name) = reference(schema)
        && needed.insert(name.to_owned())
    {
        collect(&definitions[name], definitions, needed);
    }
    match schema {
        Value::Array(items) => items.iter().for_each(|item| collect(item, definitions, needed)),
        Value::Object(members) => members.values().for_each(|member| collect(member, definitions, needed)),
        _ => {}
    }
}

fn localise(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(localise),
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get_mut("$ref") {
                *reference = reference.replace(COMPONENTS, "#/$defs/");
            }
            members.values_mut().for_each(localise);
        }
        _ => {}
    }
}

/// Adds the codes of the rejections to the document, each with its meaning.
pub(super) fn document_rejections(document: &mut OpenApi) {
    let line = |code: &RejectionCode| format!("- `{}`: {}", code.code, code.meaning);
    let description = format!(
        "The `code` of a rejection, in order of precedence: if several apply, the first is returned.\n\n{}",
        RejectionCode::ALL.iter().map(line).collect::<Vec<_>>().join("\n")
    );
    let codes = ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(description))
        .enum_values(Some(RejectionCode::ALL.iter().map(|code| code.code)))
        .build();
    let components = document.components.get_or_insert_with(Components::new);
    components.schemas.insert("RejectionCode".to_owned(), codes.into());
}
