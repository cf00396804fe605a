//! Comparison of expected and actual outcomes.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Change, ExpectedEvent, Then};

/// The actual outcome of a command or a batch.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The events, as objects with their `type` and `data`.
    Accepted(Vec<Value>),
    /// The problem document.
    Rejected(Value),
    /// The outcomes of the commands of a batch.
    Outcomes(Vec<Outcome>),
}

/// Compares an outcome with the expected one. The error describes the difference.
pub fn compare(expected: &Then, actual: &Outcome) -> Result<(), String> {
    match (expected, actual) {
        (Then::Events(expected), Outcome::Accepted(events)) if expected.len() == events.len() => {
            expected.iter().zip(events).try_for_each(|(expected, event)| compare_event(expected, event))
        }
        (Then::Nothing(_), Outcome::Accepted(events)) if events.is_empty() => Ok(()),
        (Then::Rejected(expected), Outcome::Rejected(problem)) => compare_members(expected, problem),
        (Then::Outcomes(expected), Outcome::Outcomes(actual)) if expected.len() == actual.len() => {
            expected.iter().zip(actual).try_for_each(|(expected, actual)| compare(expected, actual))
        }
        _ => Err(format!("expected {expected:?} but got {actual:?}")),
    }
}

fn compare_event(expected: &ExpectedEvent, event: &Value) -> Result<(), String> {
    if event["type"] != expected.event_type {
        return Err(format!("expected {} but got {event}", expected.event_type));
    }
    compare_members(&expected.data, &event["data"])
}

/// Compares only the expected members, in nested objects too. An expected `null` means that the member is absent.
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
        _ => Err(format!("expected {expected} but got {actual}")),
    }
}

/// Compares the `balances` of a dry run's answer with the expected changes, if the case has any.
pub fn compare_changes(expected: Option<&BTreeMap<String, Change>>, actual: &Value) -> Result<(), String> {
    let Some(expected) = expected else { return Ok(()) };
    let changes = actual.as_array().ok_or_else(|| format!("the balances are not a list: {actual}"))?;
    let actual: BTreeMap<String, Change> = changes
        .iter()
        .map(|change| {
            let name = |member: &str| change[member].as_str().unwrap_or_default();
            let read = |member: &str| serde_json::from_value(change[member].clone());
            let read = |member| read(member).map_err(|error| format!("{error} in {change}"));
            let figures = Change { before: read("before")?, after: read("after")? };
            Ok((format!("{} {}", name("account"), name("asset")), figures))
        })
        .collect::<Result<_, String>>()?;
    if actual == *expected {
        Ok(())
    } else {
        Err(format!("expected the changes {expected:?}, but got {actual:?}"))
    }
}
