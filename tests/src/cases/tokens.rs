//! Placeholders in cases: times, and values too large to write out.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// The value with every token replaced.
pub(super) fn replaced(value: &Value, now: DateTime<Utc>) -> Value {
    match value {
        Value::String(text) => Value::String(of_text(text, now)),
        Value::Array(items) => items.iter().map(|item| replaced(item, now)).collect(),
        Value::Object(members) => match (members.get("@times"), members.get("of")) {
            (Some(times), Some(item)) => {
                let times = times.as_u64().expect("`@times` is a number");
                (0..times).map(|_| replaced(item, now)).collect()
            }
            _ => members.iter().map(|(name, value)| (name.clone(), replaced(value, now))).collect(),
        },
        other => other.clone(),
    }
}

fn of_text(text: &str, now: DateTime<Utc>) -> String {
    let Some(token) = text.strip_prefix('@') else { return text.to_owned() };
    if let Some(length) = token.strip_prefix("text:") {
        return "x".repeat(length.parse().expect("a length is a number"));
    }
    if let Some(rest) = token.strip_prefix("now") {
        let (offset, rest) = offset(rest);
        assert!(rest.is_empty(), "`{text}` has characters after the time");
        return (now + offset).to_rfc3339_opts(SecondsFormat::AutoSi, true);
    }
    let days = [("today", 0), ("yesterday", -1), ("tomorrow", 1)];
    let day = days.into_iter().find_map(|(word, days)| Some((days, token.strip_prefix(word)?)));
    let (days, rest) = day.unwrap_or_else(|| panic!("`{text}` is not a token"));
    let (offset, rest) = offset(rest);
    format!("{}{rest}", (now + offset + TimeDelta::days(days)).date_naive())
}

/// The offset at the start of the text, such as `-1d`, or zero, and the rest of the text.
fn offset(text: &str) -> (TimeDelta, &str) {
    let sign = match text.chars().next() {
        Some('+') => 1,
        Some('-') => -1,
        _ => return (TimeDelta::zero(), text),
    };
    let end = text.find(|c: char| c.is_ascii_alphabetic()).expect("an offset has a unit");
    let (length, rest) = text[1..].split_at(end);
    let length = TimeDelta::from_std(duration(length)).expect("an offset is short");
    (length * sign, rest)
}

/// A duration such as `2s`, `5m`, `3h` or `30d`.
fn duration(text: &str) -> Duration {
    let (number, unit) = text.split_at(text.len() - 1);
    let number: u64 = number.parse().unwrap_or_else(|_| panic!("`{text}` is not a duration"));
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => panic!("`{text}` is not a duration"),
    };
    Duration::from_secs(number * seconds)
}

pub(super) fn optional_duration<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(|text| duration(&text)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tokens_are_replaced_by_times_days_and_large_values() {
        let now = "2026-03-01T12:00:00.5Z".parse().unwrap();
        for (token, meant) in [
            (json!("@now"), json!("2026-03-01T12:00:00.500Z")),
            (json!("@now+2s"), json!("2026-03-01T12:00:02.500Z")),
            (json!("@now-2h"), json!("2026-03-01T10:00:00.500Z")),
            (json!("@today"), json!("2026-03-01")),
            (json!("@yesterday"), json!("2026-02-28")),
            (json!("@tomorrowT00:00:00Z"), json!("2026-03-02T00:00:00Z")),
            (json!("@today-30dT23:59:59Z"), json!("2026-01-30T23:59:59Z")),
            (json!("@text:3"), json!("xxx")),
            (json!("no token"), json!("no token")),
            (
                json!({"@times": 2, "of": {"at": "@today"}}),
                json!([{"at": "2026-03-01"}, {"at": "2026-03-01"}]),
            ),
        ] {
            assert_eq!(replaced(&token, now), meant);
        }
    }

    #[test]
    #[should_panic(expected = "`@soon` is not a token")]
    fn an_unknown_token_fails_the_test() {
        of_text("@soon", DateTime::UNIX_EPOCH);
    }
}
