//! The statement of an account: its entries in the order of recording, each with the balance after it.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use http::Uri;
use recount_service_kit::http::{Path, Query};
use recount_service_kit::problem::Problem;
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Postgres, QueryBuilder, Row};
use utoipa::{IntoParams, ToSchema};

use super::accounts;
use super::list::{List, Listed, Page};
use super::problems::OfAccountLists;
use super::transactions::Direction;
use crate::read::{Reader, Snapshot, Wish, failed};

/// An entry on a statement.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StatementEntry {
    /// The position of the transaction in the ledger's log.
    #[schema(example = 71)]
    position: i64,
    /// The entry's place in its transaction, from 0.
    line: i32,
    #[schema(example = "USD/2")]
    asset: String,
    #[schema(value_type = Direction)]
    direction: String,
    /// In minor units; always more than zero.
    #[schema(example = "12000")]
    amount: String,
    /// The balance in this asset after the entry, on the account's normal side, in minor units.
    #[schema(example = "59605")]
    balance: String,
    #[schema(example = "0193e5a2-7b1c-7000-8000-000000000000")]
    transaction: String,
    effective_at: DateTime<Utc>,
    recorded_at: DateTime<Utc>,
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

/// Which entries.
#[derive(Debug, Deserialize, Serialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    /// Only entries in this asset.
    #[param(example = "USD/2")]
    asset: Option<String>,
    /// Only entries that were recorded after this position.
    after: Option<i64>,
    /// How many at most, from 1 to 500; 50 unless told.
    #[serde(skip_serializing)]
    limit: Option<u32>,
    /// Where to go on: `next` of the page before.
    #[serde(skip_serializing)]
    cursor: Option<String>,
}

/// The statement of an account.
#[utoipa::path(get, path = "/v1/ledgers/{ledger}/accounts/{account}/statement", tag = "accounts",
    operation_id = "show_statement",
    params(("ledger" = String, Path, description = "The ledger's name"),
        ("account" = String, Path, description = "The account's name"), Parameters,
        ("Recount-At-Least" = Option<i64>, Header, description = "The position to wait for"),
        ("Prefer" = Option<String>, Header, description = "`wait=SECONDS`: how long to wait for it")),
    responses((status = 200, description = "A page of entries", body = Page<StatementEntry>,
        headers(("Recount-Position" = i64, description = "The position that the answer reflects"),
            ("Link" = Option<String>, description = "The page that follows, as `rel=\"next\"`"))), OfAccountLists))]
pub(super) async fn show(
    State(reader): State<Reader>,
    Path((ledger, account)): Path<(String, String)>,
    Query(parameters): Query<Parameters>,
    wish: Wish,
    uri: Uri,
) -> Result<Response, Problem> {
    let list = List::new(uri, parameters.limit, &parameters)?;
    let after = list.after(parameters.cursor.as_deref())?;
    let mut snapshot = reader.ledger(&ledger, &wish).await?;
    let listed = select(&mut snapshot, &list, &account, &parameters, after).await;
    Ok(snapshot.answer(listed))
}

async fn select(
    snapshot: &mut Snapshot,
    list: &List,
    account: &str,
    parameters: &Parameters,
    after: Option<(i64, i32)>,
) -> Result<Listed<StatementEntry>, Problem> {
    let log = snapshot.log();
    let mut query = QueryBuilder::<Postgres>::new(
        "select position, line, asset, direction, amount::text as amount, balance::text as balance, transaction, \
                effective_at, recorded_at \
         from read.entries where log = ",
    );
    query.push_bind(log).push(" and account = ").push_bind(account);
    if let Some(asset) = &parameters.asset {
        query.push(" and asset = ").push_bind(asset);
    }
    if let Some(position) = parameters.after {
        query.push(" and position > ").push_bind(position);
    }
    if let Some((position, line)) = after {
        query.push(" and (position, line) > (").push_bind(position);
        query.push(", ").push_bind(line).push(")");
    }
    query.push(" order by position, line limit ").push_bind(list.fetch());
    let entries: Vec<StatementEntry> =
        query.build_query_as().fetch_all(snapshot.connection()).await.map_err(|error| failed(&error))?;
    if entries.is_empty() {
        ensure_there(snapshot, account).await?;
    }
    Ok(list.page(entries, |entry| (entry.position, entry.line)))
}

/// Tells an account without entries from one that does not exist.
async fn ensure_there(snapshot: &mut Snapshot, account: &str) -> Result<(), Problem> {
    let log = snapshot.log();
    let there: bool =
        sqlx::query_scalar("select exists (select from read.accounts where log = $1 and account = $2)")
            .bind(log)
            .bind(account)
            .fetch_one(snapshot.connection())
            .await
            .map_err(|error| failed(&error))?;
    if there { Ok(()) } else { Err(accounts::not_found(account)) }
}
