//! Parameters that several routes have.

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::IntoParams;

/// The path of a ledger.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct LedgerPath {
    /// The ledger's name.
    pub(super) ledger: String,
}

/// The path of an account.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct AccountPath {
    /// The ledger's name.
    pub(super) ledger: String,
    /// The account's name, with `/` written as `%2F`.
    pub(super) account: String,
}

/// The path of a transaction.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct TransactionPath {
    /// The ledger's name.
    pub(super) ledger: String,
    /// The transaction's id.
    pub(super) transaction: String,
}

/// A moment in business time: an RFC 3339 time, or a date, which means midnight UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(super) struct Moment(pub(super) DateTime<Utc>);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Moment, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        moment(&text).map(Moment).ok_or_else(|| {
            serde::de::Error::custom(format_args!(
                "`{text}` is neither a date such as 2013-07-01 nor an RFC 3339 time such as \
                 2013-07-01T12:00:00Z (in a query string, write `+` as %2B)"
            ))
        })
    }
}

fn moment(text: &str) -> Option<DateTime<Utc>> {
    let exact = DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc());
    let midnight = || {
        let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
        Some(date.and_time(NaiveTime::MIN).and_utc())
    };
    exact.or_else(midnight).filter(|moment| is_comparable(*moment))
}

/// Whether Postgres can compare with the moment: it spells years before 0001 differently, and no business time is that
/// early.
fn is_comparable(moment: DateTime<Utc>) -> bool {
    (1..=9_999).contains(&moment.year())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_means_midnight_in_utc() {
        assert_eq!(moment("2013-07-01"), moment("2013-07-01T00:00:00Z"));
        assert_eq!(moment("2013-07-01T02:00:00+02:00"), moment("2013-07-01"));
    }

    #[test]
    fn a_malformed_moment_is_refused() {
        for text in
            ["", "2013", "2013-13-01", "2013-02-30", "yesterday", "1372636800", "0000-01-01", "12013-01-01"]
        {
            assert_eq!(moment(text), None, "{text:?}");
        }
    }
}
