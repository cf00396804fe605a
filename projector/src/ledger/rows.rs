//! What all tables have in common: where and when, and rows as columns.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use recount_core::Position;
use serde::Serialize;

/// Where in its log an event stands, and when it was recorded.
#[derive(Clone, Copy, Debug)]
pub(super) struct At {
    pub(super) position: Position,
    pub(super) recorded_at: DateTime<Utc>,
}

/// The first and the last event of a batch that concern something.
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

/// One column of many rows.
pub(super) fn column<'a, R, T>(rows: &'a [R], value: impl Fn(&'a R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

/// A column that is null in most batches and then not sent: `unnest` fills up short columns with nulls.
pub(super) fn sparse<'a, R, T>(rows: &'a [R], value: impl Fn(&'a R) -> Option<T>) -> Vec<Option<T>> {
    if rows.iter().any(|row| value(row).is_some()) { column(rows, value) } else { Vec::new() }
}

/// Where the times of Postgres begin, by its manual: 4713 BC, which is the year -4712. They end after chrono's.
const TIME_MIN: DateTime<Utc> =
    NaiveDate::from_ymd_opt(-4712, 1, 1).expect("it is a date").and_time(NaiveTime::MIN).and_utc();

/// A business time as a `timestamptz` holds it. An event is a fact, however early the time that it names: it is applied,
/// and what is before the first time that can be stored is stored as that.
pub(super) fn storable(time: DateTime<Utc>) -> DateTime<Utc> {
    time.max(TIME_MIN)
}

/// As it is stored.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("what came from JSON goes back into it")
}

/// An amount, which is whole and fits into 128 bits.
pub(super) fn minor_units(stored: &str) -> Result<i128, sqlx::Error> {
    stored.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}
