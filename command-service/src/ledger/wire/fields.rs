//! The fields that commands share: names, ids, times; and the error of a field.

use std::fmt::Display;
use std::str::FromStr;

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, TimeDelta, Timelike, Utc};
use recount_service_kit::ids;

/// A value of the right JSON type that breaks a rule of form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub(in crate::ledger) struct FormError {
    /// The place in the command, as a JSON pointer: `/entries/1/amount`.
    pub at: String,
    pub reason: String,
}

impl FormError {
    pub(super) fn new(at: impl Into<String>, reason: impl Display) -> FormError {
        FormError { at: at.into(), reason: reason.to_string() }
    }

    /// The same error, as seen from the object that has the member of this name.
    #[must_use]
    pub(super) fn within(self, member: &str) -> FormError {
        let token = member.replace('~', "~0").replace('/', "~1");
        FormError { at: format!("/{token}{}", self.at), reason: self.reason }
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
    Err(FormError::new(at, format!("at most {max} {what} are allowed, and there are {}", list.len())))
}

/// A time, truncated to the microseconds that the store keeps. A date means its midnight in UTC.
pub(super) fn moment(at: &str, text: &str) -> Result<DateTime<Utc>, FormError> {
    match date(text) {
        Some(date) => Ok(date.and_time(NaiveTime::MIN).and_utc()),
        None => in_micros(at, text),
    }
}

/// The same, but a date means the last microsecond of its day in UTC.
pub(super) fn last_moment(at: &str, text: &str) -> Result<DateTime<Utc>, FormError> {
    match date(text) {
        Some(date) => {
            let next = date.checked_add_days(Days::new(1)).ok_or_else(|| not_a_moment(at, text))?;
            Ok(next.and_time(NaiveTime::MIN).and_utc() - TimeDelta::microseconds(1))
        }
        None => in_micros(at, text),
    }
}

/// A date with a year of four digits, the only form that RFC 3339, the store and the queries share.
fn date(text: &str) -> Option<NaiveDate> {
    let is_date = text.len() == 10
        && text
            .bytes()
            .enumerate()
            .all(|(n, byte)| if n == 4 || n == 7 { byte == b'-' } else { byte.is_ascii_digit() });
    text.parse().ok().filter(|date: &NaiveDate| is_date && date.year() >= 1)
}

fn in_micros(at: &str, text: &str) -> Result<DateTime<Utc>, FormError> {
    let moment = DateTime::parse_from_rfc3339(text).map_err(|_| not_a_moment(at, text))?.to_utc();
    if is_in_leap_second(&moment) {
        let reason = format!(
            "`{text}` is a leap second, which the ledger does not support: the last second of a minute is 59"
        );
        return Err(FormError::new(at, reason));
    }
    // An offset may move the time out of the years of four digits.
    DateTime::from_timestamp_micros(moment.timestamp_micros())
        .filter(|moment| (1..=9_999).contains(&moment.year()))
        .ok_or_else(|| not_a_moment(at, text))
}

/// Whether the second was given as 60, which the parser accepts in every minute. In microseconds it would fall into the
/// next minute, perhaps into the next day and thus after the end of a closed period.
fn is_in_leap_second(moment: &DateTime<Utc>) -> bool {
    const SECOND_NANOS: u32 = 1_000_000_000;
    moment.nanosecond() >= SECOND_NANOS
}

fn not_a_moment(at: &str, text: &str) -> FormError {
    let reason =
        format!("`{text}` is neither RFC 3339, like 2026-01-31T12:00:00Z, nor a date, like 2026-01-31");
    FormError::new(at, reason)
}
