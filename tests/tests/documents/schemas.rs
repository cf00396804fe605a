//! The JSON Schemas of all events and commands.

use std::collections::BTreeMap;

use recount_command_service::ledger::command_schemas;
use recount_events::ledger::codec;
use serde_json::Value;

use crate::{check_folder, is_writing, repository};

fn text(schema: &Value) -> String {
    serde_json::to_string_pretty(schema).expect("a schema is JSON") + "\n"
}

/// A difference in structure means that the stored shape of an event changed, which needs a new version of the event.
/// Only the schema of a version that was never written may change.
#[test]
fn event_schemas_match_their_types() {
    let named = |(event_type, version, schema): (&str, i16, _)| {
        let mut schema: Value = serde_json::to_value(schema).expect("a schema is JSON");
        schema["title"] = format!("{event_type} v{version}").into();
        (format!("{event_type}.v{version}.json"), text(&schema))
    };
    let schemas: BTreeMap<String, String> = codec::schemas().into_iter().map(named).collect();
    check_folder(&repository().join("docs/schemas/events"), &schemas);
}

#[test]
fn command_schemas_match_the_api() {
    let schemas = command_schemas();
    let named = schemas.iter().map(|(name, schema)| (format!("{name}.json"), text(schema)));
    check_folder(&repository().join("docs/schemas/commands"), &named.collect());
}

/// The schemas mark every personal field, and no other.
#[test]
fn personal_fields_are_marked() {
    let mut marked = Vec::new();
    for (event_type, _, schema) in codec::schemas() {
        let schema = serde_json::to_value(schema).expect("a schema is JSON");
        collect_marked(&schema, event_type, &mut marked);
    }
    marked.sort_unstable();
    marked.dedup();
    let of = |event: &str| {
        ["address", "attributes", "email", "name", "phone"].map(|field| format!("{event}: {field}"))
    };
    assert_eq!(marked, [of("customer-registered"), of("customer-updated")].concat());
}

fn collect_marked(schema: &Value, event_type: &str, marked: &mut Vec<String>) {
    let Some(members) = schema.as_object() else { return };
    for (name, property) in members.get("properties").and_then(Value::as_object).into_iter().flatten() {
        if property.to_string().contains("\"x-personal\":true") {
            marked.push(format!("{event_type}: {name}"));
        }
    }
    for definition in
        members.get("$defs").and_then(Value::as_object).into_iter().flat_map(|defs| defs.values())
    {
        collect_marked(definition, event_type, marked);
    }
}

/// The golden file of every version matches its schema.
#[test]
fn golden_files_match_their_schemas() {
    if is_writing() {
        return;
    }
    for entry in std::fs::read_dir(repository().join("events/tests/golden")).expect("there are golden files")
    {
        let path = entry.expect("the folder can be read").path();
        let read = |path: &std::path::Path| -> Value {
            let text =
                std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        let schema =
            read(&repository().join("docs/schemas/events").join(path.file_name().expect("it is a file")));
        let (mut compiler, mut schemas) = (boon::Compiler::new(), boon::Schemas::new());
        let name = path.to_str().expect("the name is ASCII");
        compiler.add_resource(name, schema).unwrap_or_else(|error| panic!("{name}: {error}"));
        let schema = compiler.compile(name, &mut schemas).unwrap_or_else(|error| panic!("{name}: {error}"));
        if let Err(error) = schemas.validate(&read(&path), schema) {
            panic!("{name}: {error:#}");
        }
    }
}
