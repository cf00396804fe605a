//! The fields that commands share: names, ids, times, metadata, and what is wrong with them.

use std::fmt::Display;
use std::str::FromStr;

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use recount_domain::METADATA_BYTES_MAX;
use recount_events::ledger::Metadata;
use recount_service_kit::ids;

/// How deep metadata may be nested: far from the depth at which readers of JSON give up, whatever it is wrapped in.
const METADATA_DEPTH_MAX: usize = 32;

/// A value that has the right JSON type and breaks a rule of form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub(in crate::ledger) struct FormError {
    /// Where in the command, as a JSON pointer: `/entries/1/amount`.
    pub at: String,
    pub reason: String,
}

impl FormError {
    pub(super) fn new(at: impl Into<String>, reason: impl Display) -> FormError {
        FormError { at: at.into(), reason: reason.to_string() }
    }
}

pub(super) fn parsed<T: FromStr<Err: Display>>(at: &str, text: &str) -> Result<T, FormError> {
    text.parse().map_err(|error| FormError::new(at, error))
}

pub(super) fn parsed_in<T: FromStr<Err: Display>>(
    list: &str,
    n: usize,
    member: &str,
    text: &str,
) -> Result<T, FormError> {
    text.parse().map_err(|error| FormError::new(format!("/{list}/{n}/{member}"), error))
}

pub(super) fn optional<T: FromStr<Err: Display>>(
    at: &str,
    text: Option<&str>,
) -> Result<Option<T>, FormError> {
    text.map(|text| parsed(at, text)).transpose()
}

/// The id as the client chose it, or a new one.
pub(super) fn given_or_new<T: FromStr<Err: Display>>(at: &str, id: Option<&str>) -> Result<T, FormError> {
    match id {
        Some(id) => parsed(at, id),
        None => parsed(at, &ids::new_id().to_string()),
    }
}

/// Refuses a list that is longer than this.
pub(super) fn at_most<T>(at: &str, list: &[T], max: usize, what: &str) -> Result<(), FormError> {
    if list.len() <= max {
        return Ok(());
    }
    Err(FormError::new(at, format!("there are {max} {what} at most, and these are {}", list.len())))
}

pub(super) fn bounded(metadata: Metadata) -> Result<Metadata, FormError> {
    if metadata.is_empty() {
        return Ok(metadata);
    }
    let bytes = serde_json::to_string(&metadata).map_or(usize::MAX, |json| json.len());
    if bytes > METADATA_BYTES_MAX {
        let reason = format!("metadata takes {METADATA_BYTES_MAX} bytes of JSON at most; this is {bytes}");
        return Err(FormError::new("/metadata", reason));
    }
    if metadata.values().any(|value| is_deeper_than(value, METADATA_DEPTH_MAX)) {
        return Err(FormError::new(
            "/metadata",
            format!("metadata is nested {METADATA_DEPTH_MAX} levels deep at most"),
        ));
    }
    if metadata.values().any(has_inexact_number) {
        let reason = "a number in it has more digits than JSON numbers keep everywhere: give it as a string";
        return Err(FormError::new("/metadata", reason));
    }
    Ok(metadata)
}

/// Whether it has a number that may have been given with more digits than it was read with: one that is not a whole
/// number of 64 bits and has more than 15 digits before the point.
fn has_inexact_number(value: &serde_json::Value) -> bool {
    const EXACT_DIGITS: usize = 15;
    match value {
        serde_json::Value::Number(number) if number.is_i64() || number.is_u64() => false,
        serde_json::Value::Number(number) => {
            let text = number.to_string();
            let (digits, exponent) = text.split_once('e').unwrap_or((&text, "-"));
            let whole = digits.trim_start_matches('-').split('.').next().unwrap_or_default();
            !exponent.starts_with('-') || whole.len() > EXACT_DIGITS
        }
        serde_json::Value::Array(values) => values.iter().any(has_inexact_number),
        serde_json::Value::Object(members) => members.values().any(has_inexact_number),
        _ => false,
    }
}

/// Whether a value is nested deeper than this. Goes no deeper itself.
fn is_deeper_than(value: &serde_json::Value, levels: usize) -> bool {
    let deeper = |inner: &serde_json::Value| levels == 0 || is_deeper_than(inner, levels - 1);
    match value {
        serde_json::Value::Array(values) => values.iter().any(deeper),
        serde_json::Value::Object(members) => members.values().any(deeper),
        _ => false,
    }
}

/// A moment, in the microseconds that the store keeps. A date is its first moment in UTC.
pub(super) fn moment(at: &str, text: &str) -> Result<DateTime<Utc>, FormError> {
    let moment = match date(text) {
        Some(date) => Some(date.and_time(NaiveTime::MIN).and_utc()),
        None => in_micros(text),
    };
    moment.ok_or_else(|| not_a_moment(at, text))
}

/// The last moment that is meant. A date is its last one in UTC.
pub(super) fn last_moment(at: &str, text: &str) -> Result<DateTime<Utc>, FormError> {
    let moment = match date(text) {
        Some(date) => date
            .checked_add_days(Days::new(1))
            .map(|next| next.and_time(NaiveTime::MIN).and_utc() - TimeDelta::microseconds(1)),
        None => in_micros(text),
    };
    moment.ok_or_else(|| not_a_moment(at, text))
}

/// A date with a year of four digits, which is what RFC 3339, the store and the queries know.
fn date(text: &str) -> Option<NaiveDate> {
    let is_date = text.len() == 10
        && text
            .bytes()
            .enumerate()
            .all(|(n, byte)| if n == 4 || n == 7 { byte == b'-' } else { byte.is_ascii_digit() });
    text.parse().ok().filter(|date: &NaiveDate| is_date && date.year() >= 1)
}

fn in_micros(text: &str) -> Option<DateTime<Utc>> {
    let moment = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
    // An offset may carry it out of the years that have four digits.
    DateTime::from_timestamp_micros(moment.timestamp_micros())
        .filter(|moment| (1..=9_999).contains(&moment.year()))
}

fn not_a_moment(at: &str, text: &str) -> FormError {
    let reason = format!("`{text}` is neither RFC 3339, as 2026-01-31T12:00:00Z, nor a date, as 2026-01-31");
    FormError::new(at, reason)
}
