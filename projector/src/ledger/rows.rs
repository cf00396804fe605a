//! What all tables share: the stamp of an event, contradictions, and rows turned into columns.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use recount_core::Position;
use recount_projection::ApplyError;
use serde::Serialize;

/// The position of an event in its log, and when it was recorded.
#[derive(Clone, Copy, Debug)]
pub(super) struct EventStamp {
    pub(super) position: Position,
    pub(super) recorded_at: DateTime<Utc>,
}

/// The first and the last event of a batch about one row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) first: Position,
    pub(super) last: Position,
}

impl Span {
    pub(super) fn at(position: Position) -> Span {
        Span { first: position, last: position }
    }
}

/// The event at this position cannot be applied because it contradicts earlier events.
pub(super) fn contradiction(position: Position, reason: impl Into<String>) -> ApplyError {
    ApplyError::Poisoned { position, reason: reason.into() }
}

/// One column of many rows.
pub(super) fn column<'a, R, T>(rows: &'a [R], value: impl Fn(&'a R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

/// A column that is null in most batches. If every value is null, it is sent empty: `unnest` pads short columns with
/// nulls.
pub(super) fn sparse_column<'a, R, T>(rows: &'a [R], value: impl Fn(&'a R) -> Option<T>) -> Vec<Option<T>> {
    if rows.iter().any(|row| value(row).is_some()) { column(rows, value) } else { Vec::new() }
}

/// The earliest `timestamptz` according to the Postgres manual: 4713 BC, which is the year -4712. The latest one is
/// later than chrono's.
const TIME_MIN: DateTime<Utc> =
    NaiveDate::from_ymd_opt(-4712, 1, 1).expect("it is a date").and_time(NaiveTime::MIN).and_utc();

/// A business time as a `timestamptz` can hold it. An event is a fact, however early the time in it, so it is always
/// applied: a time before the earliest `timestamptz` is stored as that one.
pub(super) fn storable_time(time: DateTime<Utc>) -> DateTime<Utc> {
    time.max(TIME_MIN)
}

/// The value as JSON text.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("a value read from JSON can be written as JSON")
}

/// Parses a whole `numeric` that fits into 128 bits.
pub(super) fn parse_minor_units(stored: &str) -> Result<i128, sqlx::Error> {
    stored.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}
