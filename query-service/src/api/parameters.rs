//! The types of parameters that several questions have.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

/// The path of what belongs to a ledger.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct InLedger {
    /// The ledger's name.
    pub(super) ledger: String,
}

/// The path of what belongs to an account.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OfAccount {
    /// The ledger's name.
    pub(super) ledger: String,
    /// The account's name, in which a `/` is written `%2F`.
    pub(super) account: String,
}

/// The path of what belongs to a transaction.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OfTransaction {
    /// The ledger's name.
    pub(super) ledger: String,
    /// The transaction's id.
    pub(super) transaction: String,
}

/// The headers that say how fresh an answer has to be, as [`Wish`](crate::read::Wish) reads them.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only its description is used")]
pub(super) struct Freshness {
    /// The position to wait for.
    #[param(rename = "Recount-At-Least", minimum = 0)]
    at_least: Option<i64>,
    /// `wait=SECONDS`: how long to wait for it.
    #[param(rename = "Prefer")]
    prefer: Option<String>,
}

/// A moment in business time: RFC 3339, or a date, which means its midnight in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(super) struct Moment(pub(super) DateTime<Utc>);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Moment, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        moment(&text).map(Moment).ok_or_else(|| {
            serde::de::Error::custom(format_args!(
                "`{text}` is neither a date such as 2013-07-01 nor a time by RFC 3339 such as \
                 2013-07-01T12:00:00Z (in a query string, `+` is written %2B)"
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
    exact.or_else(midnight).filter(|moment| storable(*moment))
}

/// Whether Postgres can compare with it; years before 0001 have another spelling there, and none is business time.
fn storable(moment: DateTime<Utc>) -> bool {
    use chrono::Datelike;
    (1..=9_999).contains(&moment.year())
}

/// The kind of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Asset,
    Liability,
    Equity,
    Income,
    Expense,
}

impl Kind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Kind::Asset => "asset",
            Kind::Liability => "liability",
            Kind::Equity => "equity",
            Kind::Income => "income",
            Kind::Expense => "expense",
        }
    }
}

/// What became of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum HoldStatus {
    /// Something of it is still set aside.
    Open,
    /// Used up by captures; the last may have given back what it did not take.
    Captured,
    /// What was left was given back.
    Released,
    /// What was left was given back because the deadline passed.
    Expired,
}

impl HoldStatus {
    pub(super) const ALL: [HoldStatus; 4] =
        [HoldStatus::Open, HoldStatus::Captured, HoldStatus::Released, HoldStatus::Expired];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            HoldStatus::Open => "open",
            HoldStatus::Captured => "captured",
            HoldStatus::Released => "released",
            HoldStatus::Expired => "expired",
        }
    }
}

/// Which end of a list comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Order {
    /// As it was recorded.
    #[default]
    Asc,
    /// The latest first.
    Desc,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_its_midnight_in_utc() {
        assert_eq!(moment("2013-07-01"), moment("2013-07-01T00:00:00Z"));
        assert_eq!(moment("2013-07-01T02:00:00+02:00"), moment("2013-07-01"));
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in
            ["", "2013", "2013-13-01", "2013-02-30", "yesterday", "1372636800", "0000-01-01", "12013-01-01"]
        {
            assert_eq!(moment(text), None, "{text:?}");
        }
    }
}
