//! What a case expects against what was told.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Change, ExpectedEvent, Then};

/// What became of a command or a batch.
#[derive(Clone, Debug)]
pub enum Told {
    /// Accepted: the events, as objects with their `type` and `data`.
    Accepted(Vec<Value>),
    /// The problem document.
    Rejected(Value),
    /// Of a batch, each of its commands.
    Outcomes(Vec<Told>),
}

/// Whether it became what was expected; otherwise, how it differs.
pub fn compare(expected: &Then, told: &Told) -> Result<(), String> {
    match (expected, told) {
        (Then::Events(expected), Told::Accepted(events)) if expected.len() == events.len() => {
            expected.iter().zip(events).try_for_each(|(expected, event)| compare_event(expected, event))
        }
        (Then::Nothing(_), Told::Accepted(events)) if events.is_empty() => Ok(()),
        (Then::Rejected(expected), Told::Rejected(problem)) => compare_members(expected, problem),
        (Then::Outcomes(expected), Told::Outcomes(told)) if expected.len() == told.len() => {
            expected.iter().zip(told).try_for_each(|(expected, told)| compare(expected, told))
        }
        _ => Err(format!("expected {expected:?}, and there was {told:?}")),
    }
}

fn compare_event(expected: &ExpectedEvent, event: &Value) -> Result<(), String> {
    if event["type"] != expected.event_type {
        return Err(format!("expected {}, and there was {event}", expected.event_type));
    }
    compare_members(&expected.data, &event["data"])
}

/// Whether the object has these members; it may have others. What is expected of a member of a member likewise, and
/// `null` is expected of one that is not there.
pub fn compare_members(expected: &Map<String, Value>, actual: &Value) -> Result<(), String> {
    expected.iter().try_for_each(|(name, expected)| {
        let actual_member = actual.get(name).unwrap_or(&Value::Null);
        compare_value(expected, actual_member)
            .map_err(|difference| format!("{name}: {difference} in {actual}"))
    })
}

fn compare_value(expected: &Value, actual: &Value) -> Result<(), String> {
    match (expected, actual) {
        (Value::Object(expected), Value::Object(_)) => compare_members(expected, actual),
        (Value::Array(expected), Value::Array(actual)) if expected.len() == actual.len() => {
            expected.iter().zip(actual).try_for_each(|(expected, actual)| compare_value(expected, actual))
        }
        _ if expected == actual => Ok(()),
        _ => Err(format!("expected {expected}, and there was {actual}")),
    }
}

/// Whether these are the balances that would change, if anything is expected of them. `told` are the `balances` of the
/// answer.
pub fn compare_changes(expected: Option<&BTreeMap<String, Change>>, told: &Value) -> Result<(), String> {
    let Some(expected) = expected else { return Ok(()) };
    let changes = told.as_array().ok_or_else(|| format!("there are no balances but {told}"))?;
    let told: BTreeMap<String, Change> = changes
        .iter()
        .map(|change| {
            let name = |member: &str| change[member].as_str().unwrap_or_default();
            let read = |member: &str| serde_json::from_value(change[member].clone());
            let read = |member| read(member).map_err(|error| format!("{error} in {change}"));
            let figures = Change { before: read("before")?, after: read("after")? };
            Ok((format!("{} {}", name("account"), name("asset")), figures))
        })
        .collect::<Result<_, String>>()?;
    if told == *expected {
        Ok(())
    } else {
        Err(format!("expected {expected:?} to change, and it is {told:?}"))
    }
}
