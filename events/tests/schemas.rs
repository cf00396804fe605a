//! The JSON Schemas describe the stored data of each event, and mark the personal fields.

#![cfg(feature = "schema")]

use std::collections::BTreeSet;

use recount_events::ledger::codec::{EVENT_TYPES, schemas};
use serde_json::Value;

fn schema(event_type: &str, version: i16) -> Value {
    let found = schemas().into_iter().find(|(name, of, _)| *name == event_type && *of == version);
    found.unwrap_or_else(|| panic!("{event_type} v{version} has no schema")).2.to_value()
}

#[test]
fn every_version_of_every_event_has_a_schema() {
    let described: BTreeSet<(&str, i16)> =
        schemas().into_iter().map(|(event_type, version, _)| (event_type, version)).collect();
    let expected: BTreeSet<(&str, i16)> =
        EVENT_TYPES.iter().flat_map(|(name, newest)| (1..=*newest).map(|version| (*name, version))).collect();
    assert_eq!(described, expected);
}

#[test]
fn the_schema_of_an_amount_is_a_string_of_digits() {
    let schema = schema("hold-placed", 1);
    assert_eq!(schema["properties"]["amount"]["$ref"], "#/$defs/Amount");
    let amount = &schema["$defs"]["Amount"];
    assert_eq!(amount["type"], "string");
    assert_eq!(amount["pattern"], "^[1-9][0-9]{0,38}$");
    // The largest amount has as many digits.
    assert_eq!(i128::MAX.to_string().len(), 39);
}

/// Personal fields are marked, also inside other types, and no other fields are.
#[test]
fn exactly_the_personal_fields_are_marked() {
    fn marked(schema: &Value, path: &str, found: &mut BTreeSet<String>) {
        if schema.get("x-personal") == Some(&Value::Bool(true)) {
            found.insert(path.to_owned());
        }
        let Some(members) = schema.as_object() else { return };
        for (name, member) in members {
            marked(member, &format!("{path}/{name}"), found);
        }
        for (n, member) in members.values().filter_map(Value::as_array).flatten().enumerate() {
            marked(member, &format!("{path}/{n}"), found);
        }
    }
    for (event_type, version, schema) in schemas() {
        let mut found = BTreeSet::new();
        marked(&schema.to_value(), "", &mut found);
        let fields: BTreeSet<&str> =
            found.iter().filter_map(|path| path.strip_prefix("/$defs/Profile/properties/")).collect();
        let is_about_a_person = matches!(event_type, "customer-registered" | "customer-updated");
        assert_eq!(found.len(), if is_about_a_person { 5 } else { 0 }, "{event_type} v{version}: {found:?}");
        for field in ["name", "email", "phone", "address", "attributes"] {
            let is_marked = fields.iter().any(|path| path.split('/').next() == Some(field));
            assert_eq!(is_marked, is_about_a_person, "{field} of {event_type}");
        }
    }
}
