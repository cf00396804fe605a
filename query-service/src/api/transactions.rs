//! The transactions of a ledger.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use http::Uri;
use recount_service_kit::http::{Path, Query};
use recount_service_kit::problem::{Problem, kinds};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::postgres::PgRow;
use sqlx::types::Json as Stored;
use sqlx::{FromRow, Postgres, QueryBuilder, Row};
use utoipa::{IntoParams, ToSchema};

use super::list::{List, Listed, Page};
use super::parameters::{Moment, Order};
use super::problems::{OfLedgerLists, OfTransactions};
use crate::read::{Reader, Snapshot, Wish, failed};

const SELECT: &str = "select position, transaction, effective_at, recorded_at, reference, metadata, entries, \
     reverses, reversed_by from read.transactions where log = ";

/// A transaction.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Transaction {
    #[schema(example = "0193e5a2-7b1c-7000-8000-000000000000")]
    transaction: String,
    /// Its position in the ledger's log.
    #[schema(example = 71)]
    position: i64,
    /// When it counts in business terms.
    effective_at: DateTime<Utc>,
    recorded_at: DateTime<Utc>,
    #[schema(example = "invoice 2026-117")]
    reference: Option<String>,
    #[schema(value_type = Object)]
    metadata: Box<RawValue>,
    #[schema(value_type = Vec<Entry>)]
    entries: Box<RawValue>,
    /// The transaction that this one takes back.
    reverses: Option<String>,
    /// The transaction that takes this one back.
    reversed_by: Option<String>,
}

/// One side of a movement of value.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used; entries are passed on as they were stored")]
struct Entry {
    #[schema(example = "Assets:US:BofA:Checking")]
    account: String,
    direction: Direction,
    #[schema(example = "USD/2")]
    asset: String,
    /// In minor units; always more than zero.
    #[schema(example = "12000")]
    amount: String,
}

/// The side of an entry.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used; entries are passed on as they were stored")]
pub(super) enum Direction {
    Debit,
    Credit,
}

impl FromRow<'_, PgRow> for Transaction {
    fn from_row(row: &PgRow) -> Result<Transaction, sqlx::Error> {
        let Stored(metadata) = row.try_get("metadata")?;
        let Stored(entries) = row.try_get("entries")?;
        Ok(Transaction {
            transaction: row.try_get("transaction")?,
            position: row.try_get("position")?,
            effective_at: row.try_get("effective_at")?,
            recorded_at: row.try_get("recorded_at")?,
            reference: row.try_get("reference")?,
            metadata,
            entries,
            reverses: row.try_get("reverses")?,
            reversed_by: row.try_get("reversed_by")?,
        })
    }
}

/// Which transactions.
#[derive(Debug, Deserialize, Serialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    /// Only transactions with an entry on this account.
    account: Option<String>,
    /// Only the transaction with this reference.
    reference: Option<String>,
    /// Only transactions effective at this moment or later: a time by RFC 3339, or a date, which is its midnight UTC.
    #[param(value_type = Option<String>, example = "2013-07-01")]
    effective_from: Option<Moment>,
    /// Only transactions effective before this moment.
    #[param(value_type = Option<String>, example = "2013-08-01T00:00:00Z")]
    effective_to: Option<Moment>,
    /// In the order of recording unless told otherwise.
    #[param(inline)]
    #[serde(default)]
    order: Order,
    /// How many at most, from 1 to 500; 50 unless told.
    #[serde(skip_serializing)]
    limit: Option<u32>,
    /// Where to go on: `next` of the page before.
    #[serde(skip_serializing)]
    cursor: Option<String>,
}

/// The transactions of a ledger.
#[utoipa::path(get, path = "/v1/ledgers/{ledger}/transactions", tag = "transactions",
    operation_id = "list_transactions",
    params(("ledger" = String, Path, description = "The ledger's name"), Parameters,
        ("Recount-At-Least" = Option<i64>, Header, description = "The position to wait for"),
        ("Prefer" = Option<String>, Header, description = "`wait=SECONDS`: how long to wait for it")),
    responses((status = 200, description = "A page of transactions", body = Page<Transaction>,
        headers(("Recount-Position" = i64, description = "The position that the answer reflects"),
            ("Link" = Option<String>, description = "The page that follows, as `rel=\"next\"`"))), OfLedgerLists))]
pub(super) async fn list(
    State(reader): State<Reader>,
    Path(ledger): Path<String>,
    Query(parameters): Query<Parameters>,
    wish: Wish,
    uri: Uri,
) -> Result<Response, Problem> {
    let list = List::new(uri, parameters.limit, &parameters)?;
    let after = list.after(parameters.cursor.as_deref())?;
    let mut snapshot = reader.ledger(&ledger, &wish).await?;
    let listed = select(&mut snapshot, &list, &parameters, after).await;
    Ok(snapshot.answer(listed))
}

/// One transaction.
#[utoipa::path(get, path = "/v1/ledgers/{ledger}/transactions/{transaction}", tag = "transactions",
    operation_id = "show_transaction",
    params(("ledger" = String, Path, description = "The ledger's name"),
        ("transaction" = String, Path, description = "The transaction's id"),
        ("Recount-At-Least" = Option<i64>, Header, description = "The position to wait for"),
        ("Prefer" = Option<String>, Header, description = "`wait=SECONDS`: how long to wait for it")),
    responses((status = 200, description = "The transaction", body = Transaction,
        headers(("Recount-Position" = i64, description = "The position that the answer reflects"))), OfTransactions))]
pub(super) async fn show(
    State(reader): State<Reader>,
    Path((ledger, transaction)): Path<(String, String)>,
    wish: Wish,
) -> Result<Response, Problem> {
    let mut snapshot = reader.ledger(&ledger, &wish).await?;
    let found = find(&mut snapshot, &transaction).await;
    Ok(snapshot.answer(found.map(Json)))
}

async fn select(
    snapshot: &mut Snapshot,
    list: &List,
    parameters: &Parameters,
    after: Option<i64>,
) -> Result<Listed<Transaction>, Problem> {
    let log = snapshot.log();
    let mut query = QueryBuilder::<Postgres>::new(SELECT);
    query.push_bind(log);
    if let Some(account) = &parameters.account {
        query
            .push(" and position in (select distinct position from read.entries where log = ")
            .push_bind(log);
        query.push(" and account = ").push_bind(account);
        narrow(&mut query, parameters, after);
        // A busy account has more entries than anybody wants to join: the page is found among its entries. With a
        // reference there is one transaction at most, and it is the account that is looked for in its entries.
        if parameters.reference.is_none() {
            sort(&mut query, parameters.order, list.fetch());
        }
        query.push(")");
    }
    if let Some(reference) = &parameters.reference {
        query.push(" and reference = ").push_bind(reference);
    }
    narrow(&mut query, parameters, after);
    sort(&mut query, parameters.order, list.fetch());
    let transactions: Vec<Transaction> =
        query.build_query_as().fetch_all(snapshot.connection()).await.map_err(|error| failed(&error))?;
    Ok(list.page(transactions, |transaction| transaction.position))
}

/// The conditions that a transaction and each of its entries meet alike.
fn narrow(query: &mut QueryBuilder<Postgres>, parameters: &Parameters, after: Option<i64>) {
    if let Some(Moment(from)) = parameters.effective_from {
        query.push(" and effective_at >= ").push_bind(from);
    }
    if let Some(Moment(to)) = parameters.effective_to {
        query.push(" and effective_at < ").push_bind(to);
    }
    if let Some(position) = after {
        let beyond = match parameters.order {
            Order::Asc => " and position > ",
            Order::Desc => " and position < ",
        };
        query.push(beyond).push_bind(position);
    }
}

fn sort(query: &mut QueryBuilder<Postgres>, order: Order, limit: i64) {
    query.push(match order {
        Order::Asc => " order by position limit ",
        Order::Desc => " order by position desc limit ",
    });
    query.push_bind(limit);
}

async fn find(snapshot: &mut Snapshot, id: &str) -> Result<Transaction, Problem> {
    let log = snapshot.log();
    let mut query = QueryBuilder::<Postgres>::new(SELECT);
    query.push_bind(log).push(" and transaction = ").push_bind(id);
    let found =
        query.build_query_as().fetch_optional(snapshot.connection()).await.map_err(|error| failed(&error))?;
    found.ok_or_else(|| {
        Problem::new(&kinds::TRANSACTION_NOT_FOUND, format!("There is no transaction `{id}`."))
            .with("transaction", id)
    })
}
