//! The sums behind a trial balance.
//!
//! Without a moment they are the balances that the read model keeps, except where there are holds and no entry; with one
//! they are added up from the entries.

use chrono::{DateTime, Utc};
use futures_util::stream::BoxStream;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, PgConnection, Row};

use super::super::amount::{formatted, on_normal_side};
use super::{AssetTotal, TrialBalanceRow};

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

/// The kind is looked up for each row. As a join it would be planned by what is known of the ledger's size, and a ledger
/// that has just grown has no statistics: each of its balances was compared with each of its accounts.
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

/// The rows, by account and asset in byte order, as the database gives them.
pub(super) fn rows(
    connection: &mut PgConnection,
    log: i64,
    before: Option<DateTime<Utc>>,
) -> BoxStream<'_, Result<TrialBalanceRow, sqlx::Error>> {
    let sql = match before {
        None => rows_of!(kept!()),
        Some(_) => rows_of!(added_up!()),
    };
    sqlx::query_as(sql).bind(log).bind(before).fetch(connection)
}

/// The totals of each asset.
pub(super) async fn totals(
    connection: &mut PgConnection,
    log: i64,
    before: Option<DateTime<Utc>>,
) -> Result<Vec<AssetTotal>, sqlx::Error> {
    let sql = match before {
        None => totals_of!(kept!()),
        Some(_) => totals_of!(added_up!()),
    };
    sqlx::query_as(sql).bind(log).bind(before).fetch_all(connection).await
}
