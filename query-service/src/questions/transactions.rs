//! The transactions of a ledger.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{FromRow, Postgres, QueryBuilder, Row};
use utoipa::ToSchema;

use super::{Entity, PageRequest, QuestionError, Rows};
use crate::read::Snapshot;

/// A transaction may be reversed in any number of parts, so this list of reversals is limited; the list of transactions has
/// pages.
const SELECT: &str = "select position, transaction, effective_at, recorded_at, reference, metadata, entries, \
     reverses, reversals[1:100] as reversals, captures from read.transactions where log = ";

/// A transaction.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Transaction {
    #[schema(example = "0193e5a2-7b1c-7000-8000-000000000000")]
    pub(crate) transaction: String,
    /// Its position in the ledger's log.
    #[schema(example = 71)]
    pub(crate) position: i64,
    /// The business time at which it takes effect.
    pub(crate) effective_at: DateTime<Utc>,
    pub(crate) recorded_at: DateTime<Utc>,
    #[schema(example = "invoice 2026-117")]
    pub(crate) reference: Option<String>,
    /// The current metadata. The metadata history lists all changes.
    #[schema(value_type = Object)]
    pub(crate) metadata: Box<RawValue>,
    #[schema(value_type = Vec<Entry>)]
    pub(crate) entries: Box<RawValue>,
    /// The transaction that this one reverses, in whole or in part.
    pub(crate) reverses: Option<String>,
    /// The transactions that reverse this one, in order, at most 100. The list of transactions with the filter `reverses`
    /// has all of them.
    #[schema(example = json!(["refund-1"]))]
    pub(crate) reversed_by: Vec<String>,
    /// The hold that this transaction captures, in whole or in part.
    #[schema(example = "auth-1")]
    pub(crate) captures: Option<String>,
}

/// One debit or credit of a transaction.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used; entries are returned as they were stored")]
struct Entry {
    #[schema(example = "Assets:US:BofA:Checking")]
    account: String,
    direction: Direction,
    #[schema(example = "USD/2")]
    asset: String,
    /// In minor units; always positive.
    #[schema(example = "12000")]
    amount: String,
}

/// The side of an entry.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used; entries are returned as they were stored")]
pub(super) enum Direction {
    Debit,
    Credit,
}

/// The order of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Order {
    /// The order of recording.
    #[default]
    Asc,
    /// The latest first.
    Desc,
}

impl FromRow<'_, PgRow> for Transaction {
    fn from_row(row: &PgRow) -> Result<Transaction, sqlx::Error> {
        let Json(metadata) = row.try_get("metadata")?;
        let Json(entries) = row.try_get("entries")?;
        Ok(Transaction {
            transaction: row.try_get("transaction")?,
            position: row.try_get("position")?,
            effective_at: row.try_get("effective_at")?,
            recorded_at: row.try_get("recorded_at")?,
            reference: row.try_get("reference")?,
            metadata,
            entries,
            reverses: row.try_get("reverses")?,
            reversed_by: row.try_get("reversals")?,
            captures: row.try_get("captures")?,
        })
    }
}

/// The transactions that meet all conditions, and their order.
#[derive(Clone, Debug, Default)]
pub(crate) struct TransactionFilter {
    /// An account with an entry in the transaction.
    pub(crate) account: Option<String>,
    pub(crate) reference: Option<String>,
    /// The transaction that is reversed.
    pub(crate) reverses: Option<String>,
    /// The hold that is captured.
    pub(crate) captures: Option<String>,
    /// The transaction takes effect at this moment or later.
    pub(crate) effective_from: Option<DateTime<Utc>>,
    /// The transaction takes effect before this moment.
    pub(crate) effective_to: Option<DateTime<Utc>>,
    pub(crate) order: Order,
}

/// The transactions of the ledger. The key is the position of a transaction.
pub(crate) async fn list(
    snapshot: &mut Snapshot,
    filter: &TransactionFilter,
    page: &PageRequest<i64>,
) -> Result<Rows<Transaction, i64>, QuestionError> {
    let log = snapshot.log();
    let mut query = QueryBuilder::<Postgres>::new(SELECT);
    query.push_bind(log);
    if let Some(account) = &filter.account {
        query
            .push(" and position in (select distinct position from read.entries where log = ")
            .push_bind(log);
        query.push(" and account = ").push_bind(account);
        push_conditions(&mut query, filter, page.after);
        // A busy account has too many entries to join: the page is found among its entries. With a reference, a reversed
        // transaction or a hold there are few transactions, and the account is looked up in their entries instead.
        if filter.reference.is_none() && filter.reverses.is_none() && filter.captures.is_none() {
            push_order(&mut query, filter.order, page.fetch_limit());
        }
        query.push(")");
    }
    if let Some(reference) = &filter.reference {
        query.push(" and reference = ").push_bind(reference);
    }
    if let Some(reversed) = &filter.reverses {
        query.push(" and reverses = ").push_bind(reversed);
    }
    if let Some(hold) = &filter.captures {
        query.push(" and captures = ").push_bind(hold);
    }
    push_conditions(&mut query, filter, page.after);
    push_order(&mut query, filter.order, page.fetch_limit());
    let transactions = query.build_query_as().fetch_all(snapshot.connection()).await?;
    Ok(page.rows(transactions, |transaction: &Transaction| transaction.position))
}

/// The conditions that apply to a transaction and to each of its entries alike.
fn push_conditions(query: &mut QueryBuilder<Postgres>, filter: &TransactionFilter, after: Option<i64>) {
    if let Some(from) = filter.effective_from {
        query.push(" and effective_at >= ").push_bind(from);
    }
    if let Some(to) = filter.effective_to {
        query.push(" and effective_at < ").push_bind(to);
    }
    if let Some(position) = after {
        let beyond = match filter.order {
            Order::Asc => " and position > ",
            Order::Desc => " and position < ",
        };
        query.push(beyond).push_bind(position);
    }
}

fn push_order(query: &mut QueryBuilder<Postgres>, order: Order, limit: i64) {
    query.push(match order {
        Order::Asc => " order by position limit ",
        Order::Desc => " order by position desc limit ",
    });
    query.push_bind(limit);
}

/// One transaction.
pub(crate) async fn find(snapshot: &mut Snapshot, id: &str) -> Result<Transaction, QuestionError> {
    let log = snapshot.log();
    let mut query = QueryBuilder::<Postgres>::new(SELECT);
    query.push_bind(log).push(" and transaction = ").push_bind(id);
    let transaction = query.build_query_as().fetch_optional(snapshot.connection()).await?;
    transaction.ok_or_else(|| QuestionError::not_found(Entity::Transaction, id))
}
