//! The trial balance: the debits and credits of every account and asset, and the totals that prove them equal.
//!
//! Without a moment, the sums are the balances that the read model keeps, without those that have holds but no entries.
//! With a moment, they are added up from the entries. The rows are a stream, because there is one for each account and asset.

use chrono::{DateTime, Utc};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use serde::Serialize;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row};
use utoipa::ToSchema;

use super::QuestionError;
use super::accounts::Kind;
use super::amount::{formatted, on_normal_side};
use crate::read::Snapshot;

/// The sums of an account in one asset, in minor units.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TrialBalanceRow {
    #[schema(example = "Equity:Opening-Balances")]
    pub(crate) account: String,
    #[schema(value_type = Kind)]
    pub(crate) kind: String,
    #[schema(example = "USD/2")]
    pub(crate) asset: String,
    #[schema(example = "0")]
    pub(crate) debits: String,
    #[schema(example = "307770")]
    pub(crate) credits: String,
    /// The balance on the account's normal side: debits less credits for assets and expenses, credits less debits for all
    /// other kinds.
    #[schema(example = "307770")]
    pub(crate) balance: String,
    /// Debits less credits, for every kind of account. The net amounts of an asset add up to zero.
    #[schema(example = "-307770")]
    pub(crate) net: String,
    /// The net amount as a decimal.
    #[schema(example = "-3077.70 USD")]
    pub(crate) formatted: String,
}

/// The sums of all accounts in one asset, in minor units. Debits and credits are equal, or the books are wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AssetTotal {
    #[schema(example = "USD/2")]
    pub(crate) asset: String,
    #[schema(example = "54000000")]
    pub(crate) debits: String,
    #[schema(example = "54000000")]
    pub(crate) credits: String,
    pub(crate) balanced: bool,
}

macro_rules! kept {
    () => {
        "(select account, asset, debits, credits from read.balances \
          where log = $1 and $2::timestamptz is null and debits + credits > 0)"
    };
}

macro_rules! added_up {
    () => {
        "(select account, asset, \
                 coalesce(sum(amount) filter (where direction = 'debit'), 0) as debits, \
                 coalesce(sum(amount) filter (where direction = 'credit'), 0) as credits \
          from read.entries where log = $1 and effective_at < $2 group by account, asset)"
    };
}

/// The kind is looked up for each row. The plan of a join would depend on statistics, and a ledger that has just grown has
/// none: Postgres then compared each of its balances with each of its accounts.
macro_rules! rows_of {
    ($sums:expr) => {
        concat!(
            "select sums.account, sums.asset, sums.debits::text as debits, sums.credits::text as credits, \
                    (sums.debits - sums.credits)::text as net, \
                    (select kind from read.accounts where log = $1 and account = sums.account) as kind from ",
            $sums,
            " as sums order by sums.account collate \"C\", sums.asset collate \"C\""
        )
    };
}

macro_rules! totals_of {
    ($sums:expr) => {
        concat!(
            "select asset, sum(debits)::text as debits, sum(credits)::text as credits, \
                    sum(debits) = sum(credits) as balanced from ",
            $sums,
            " as sums group by asset order by asset collate \"C\""
        )
    };
}

impl FromRow<'_, PgRow> for TrialBalanceRow {
    fn from_row(row: &PgRow) -> Result<TrialBalanceRow, sqlx::Error> {
        let kind: String = row.try_get("kind")?;
        let asset: String = row.try_get("asset")?;
        let net: String = row.try_get("net")?;
        Ok(TrialBalanceRow {
            account: row.try_get("account")?,
            debits: row.try_get("debits")?,
            credits: row.try_get("credits")?,
            balance: on_normal_side(&kind, &net),
            formatted: formatted(&net, &asset),
            kind,
            asset,
            net,
        })
    }
}

impl FromRow<'_, PgRow> for AssetTotal {
    fn from_row(row: &PgRow) -> Result<AssetTotal, sqlx::Error> {
        Ok(AssetTotal {
            asset: row.try_get("asset")?,
            debits: row.try_get("debits")?,
            credits: row.try_get("credits")?,
            balanced: row.try_get("balanced")?,
        })
    }
}

/// The rows, by account and asset in byte order, counting only entries that take effect before the moment.
pub(crate) fn rows(
    snapshot: &mut Snapshot,
    before: Option<DateTime<Utc>>,
) -> BoxStream<'_, Result<TrialBalanceRow, QuestionError>> {
    let sql = match before {
        None => rows_of!(kept!()),
        Some(_) => rows_of!(added_up!()),
    };
    let log = snapshot.log();
    let rows = sqlx::query_as(sql).bind(log).bind(before).fetch(snapshot.connection());
    rows.map_err(QuestionError::from).boxed()
}

/// The totals of each asset, by asset in byte order, counting only entries that take effect before the moment.
pub(crate) async fn totals(
    snapshot: &mut Snapshot,
    before: Option<DateTime<Utc>>,
) -> Result<Vec<AssetTotal>, QuestionError> {
    let sql = match before {
        None => totals_of!(kept!()),
        Some(_) => totals_of!(added_up!()),
    };
    let log = snapshot.log();
    Ok(sqlx::query_as(sql).bind(log).bind(before).fetch_all(snapshot.connection()).await?)
}
