//! The transactions of a ledger.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use recount_service_kit::http::{NoParameters, Path, Query};
use recount_service_kit::problem::Problem;
use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::postgres::PgRow;
use sqlx::types::Json as Stored;
use sqlx::{FromRow, Postgres, QueryBuilder, Row};
use utoipa::ToSchema;

use super::list::{Asked, Listed, Page, list_parameters};
use super::parameters::{Freshness, InLedger, Moment, OfTransaction, Order};
use super::problems::{OfLedgerLists, OfTransactions, TRANSACTION_NOT_FOUND};
use crate::read::{Reader, Snapshot, Wish, failed};

/// A transaction may be reversed in any number of parts; the list of transactions has pages, this one has a bound.
const SELECT: &str = "select position, transaction, effective_at, recorded_at, reference, metadata, entries, \
     reverses, reversals[1:100] as reversals, captures from read.transactions where log = ";

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
    /// As it is now; its history is at `/metadata-history`.
    #[schema(value_type = Object)]
    metadata: Box<RawValue>,
    #[schema(value_type = Vec<Entry>)]
    entries: Box<RawValue>,
    /// The transaction that this one takes back, wholly or in part.
    reverses: Option<String>,
    /// The transactions that take this one back, in their order: 100 at most. `/transactions?reverses=` lists all of
    /// them.
    #[schema(example = json!(["refund-1"]))]
    reversed_by: Vec<String>,
    /// The hold that this one captures, wholly or in part.
    #[schema(example = "auth-1")]
    captures: Option<String>,
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
            reversed_by: row.try_get("reversals")?,
            captures: row.try_get("captures")?,
        })
    }
}

list_parameters! {
    /// Which transactions.
    Parameters {
        /// Only transactions with an entry on this account.
        account: Option<String>,
        /// Only the transaction with this reference.
        reference: Option<String>,
        /// Only transactions that take this one back, wholly or in part.
        reverses: Option<String>,
        /// Only transactions that capture this hold.
        captures: Option<String>,
        /// Only transactions effective at this moment or later: a time by RFC 3339, or a date, which is its midnight
        /// in UTC.
        #[param(value_type = Option<String>, example = "2013-07-01")]
        effective_from: Option<Moment>,
        /// Only transactions effective before this moment; of a date, the day itself is left out.
        #[param(value_type = Option<String>, example = "2013-08-01T00:00:00Z")]
        effective_to: Option<Moment>,
        /// In the order of recording unless told otherwise.
        #[param(inline)]
        #[serde(default)]
        order: Order,
    }
}

/// The transactions of a ledger.
#[utoipa::path(get, path = "/v1/ledgers/{ledger}/transactions", tag = "transactions",
    operation_id = "list_transactions",
    params(InLedger, Parameters, Freshness),
    responses((status = 200, description = "A page of transactions", body = Page<Transaction>,
        headers(("Recount-Position" = i64, description = "The position that the answer reflects"),
            ("Link" = Option<String>, description = "The page that follows, as `rel=\"next\"`"))), OfLedgerLists))]
pub(super) async fn list(
    State(reader): State<Reader>,
    Path(InLedger { ledger }): Path<InLedger>,
    asked: Asked<Parameters>,
    wish: Wish,
) -> Result<Response, Problem> {
    let after = asked.after()?;
    let mut snapshot = reader.ledger(&ledger, &wish).await?;
    let listed = select(&mut snapshot, &asked, after).await;
    Ok(snapshot.answer(listed))
}

/// One transaction.
#[utoipa::path(get, path = "/v1/ledgers/{ledger}/transactions/{transaction}", tag = "transactions",
    operation_id = "show_transaction",
    params(OfTransaction, Freshness),
    responses((status = 200, description = "The transaction", body = Transaction,
        headers(("Recount-Position" = i64, description = "The position that the answer reflects"))), OfTransactions))]
pub(super) async fn show(
    State(reader): State<Reader>,
    Path(OfTransaction { ledger, transaction }): Path<OfTransaction>,
    Query(NoParameters {}): Query<NoParameters>,
    wish: Wish,
) -> Result<Response, Problem> {
    let mut snapshot = reader.ledger(&ledger, &wish).await?;
    let found = find(&mut snapshot, &transaction).await;
    Ok(snapshot.answer(found.map(Json)))
}

async fn select(
    snapshot: &mut Snapshot,
    Asked { parameters, list }: &Asked<Parameters>,
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
        // reference, a reversed transaction or a hold there are few transactions, and it is the account that is looked
        // for in their entries.
        if parameters.reference.is_none() && parameters.reverses.is_none() && parameters.captures.is_none() {
            sort(&mut query, parameters.order, list.fetch());
        }
        query.push(")");
    }
    if let Some(reference) = &parameters.reference {
        query.push(" and reference = ").push_bind(reference);
    }
    if let Some(reversed) = &parameters.reverses {
        query.push(" and reverses = ").push_bind(reversed);
    }
    if let Some(hold) = &parameters.captures {
        query.push(" and captures = ").push_bind(hold);
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
    found.ok_or_else(|| not_found(id))
}

/// There is no transaction with this id in the ledger.
pub(super) fn not_found(id: &str) -> Problem {
    Problem::new(&TRANSACTION_NOT_FOUND, format!("There is no transaction `{id}`.")).with("transaction", id)
}
