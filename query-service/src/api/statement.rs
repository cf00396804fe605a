//! The statement of an account: its entries in the order of recording, each with the balance after it.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use recount_service_kit::http::{Path, invalid_parameter};
use recount_service_kit::problem::Problem;
use serde::Serialize;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Postgres, QueryBuilder, Row};
use utoipa::ToSchema;

use super::accounts;
use super::list::{Asked, Listed, Page, list_parameters};
use super::parameters::{Freshness, OfAccount};
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

list_parameters! {
    /// Which entries.
    Parameters {
        /// Only entries in this asset.
        #[param(example = "USD/2")]
        asset: Option<String>,
        /// Only entries that were recorded after this position.
        #[param(minimum = 0)]
        after: Option<i64>,
    }
}

/// The statement of an account.
#[utoipa::path(get, path = "/v1/ledgers/{ledger}/accounts/{account}/statement", tag = "accounts",
    operation_id = "show_statement",
    params(OfAccount, Parameters, Freshness),
    responses((status = 200, description = "A page of entries", body = Page<StatementEntry>,
        headers(("Recount-Position" = i64, description = "The position that the answer reflects"),
            ("Link" = Option<String>, description = "The page that follows, as `rel=\"next\"`"))), OfAccountLists))]
pub(super) async fn show(
    State(reader): State<Reader>,
    Path(OfAccount { ledger, account }): Path<OfAccount>,
    asked: Asked<Parameters>,
    wish: Wish,
) -> Result<Response, Problem> {
    if let Some(position) = asked.parameters.after.filter(|position| *position < 0) {
        let detail = format!("`after` is {position}; it has to be a position, a whole number from 0 up.");
        return Err(invalid_parameter("after", detail));
    }
    let after = asked.after()?;
    let mut snapshot = reader.ledger(&ledger, &wish).await?;
    let listed = select(&mut snapshot, &asked, &account, after).await;
    Ok(snapshot.answer(listed))
}

async fn select(
    snapshot: &mut Snapshot,
    Asked { parameters, list }: &Asked<Parameters>,
    account: &str,
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
