//! The statement of an account: its entries in the order of recording, each with the balance after it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Postgres, QueryBuilder, Row};
use utoipa::ToSchema;

use super::transactions::Direction;
use super::{Entity, PageRequest, QuestionError, Rows};
use crate::read::Snapshot;

/// An entry on a statement.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StatementEntry {
    /// The position of the transaction in the ledger's log.
    #[schema(example = 71)]
    pub(crate) position: i64,
    /// The index of the entry in its transaction, from 0.
    pub(crate) line: i32,
    #[schema(example = "USD/2")]
    pub(crate) asset: String,
    #[schema(value_type = Direction)]
    pub(crate) direction: String,
    /// In minor units; always positive.
    #[schema(example = "12000")]
    pub(crate) amount: String,
    /// The balance in this asset after the entry, on the account's normal side, in minor units.
    #[schema(example = "59605")]
    pub(crate) balance: String,
    #[schema(example = "0193e5a2-7b1c-7000-8000-000000000000")]
    pub(crate) transaction: String,
    pub(crate) effective_at: DateTime<Utc>,
    pub(crate) recorded_at: DateTime<Utc>,
}

impl FromRow<'_, PgRow> for StatementEntry {
    fn from_row(row: &PgRow) -> Result<StatementEntry, sqlx::Error> {
        Ok(StatementEntry {
            position: row.try_get("position")?,
            line: row.try_get("line")?,
            asset: row.try_get("asset")?,
            direction: row.try_get("direction")?,
            amount: row.try_get("amount")?,
            balance: row.try_get("balance")?,
            transaction: row.try_get("transaction")?,
            effective_at: row.try_get("effective_at")?,
            recorded_at: row.try_get("recorded_at")?,
        })
    }
}

/// The entries that meet all conditions.
#[derive(Clone, Debug, Default)]
pub(crate) struct StatementFilter {
    pub(crate) asset: Option<String>,
    /// The entry was recorded after this position.
    pub(crate) after: Option<i64>,
}

/// The entries of the account. The key is the position and the line of an entry.
pub(crate) async fn list(
    snapshot: &mut Snapshot,
    account: &str,
    filter: &StatementFilter,
    page: &PageRequest<(i64, i32)>,
) -> Result<Rows<StatementEntry, (i64, i32)>, QuestionError> {
    let log = snapshot.log();
    let mut query = QueryBuilder::<Postgres>::new(
        "select position, line, asset, direction, amount::text as amount, balance::text as balance, transaction, \
                effective_at, recorded_at \
         from read.entries where log = ",
    );
    query.push_bind(log).push(" and account = ").push_bind(account);
    if let Some(asset) = &filter.asset {
        query.push(" and asset = ").push_bind(asset);
    }
    if let Some(position) = filter.after {
        query.push(" and position > ").push_bind(position);
    }
    if let Some((position, line)) = page.after {
        query.push(" and (position, line) > (").push_bind(position);
        query.push(", ").push_bind(line).push(")");
    }
    query.push(" order by position, line limit ").push_bind(page.fetch_limit());
    let entries: Vec<StatementEntry> = query.build_query_as().fetch_all(snapshot.connection()).await?;
    if entries.is_empty() {
        ensure_account_exists(snapshot, account).await?;
    }
    Ok(page.rows(entries, |entry| (entry.position, entry.line)))
}

/// Distinguishes an account without entries from one that does not exist.
async fn ensure_account_exists(snapshot: &mut Snapshot, account: &str) -> Result<(), QuestionError> {
    let log = snapshot.log();
    let exists: bool =
        sqlx::query_scalar("select exists (select from read.accounts where log = $1 and account = $2)")
            .bind(log)
            .bind(account)
            .fetch_one(snapshot.connection())
            .await?;
    if exists { Ok(()) } else { Err(QuestionError::not_found(Entity::Account, account)) }
}
