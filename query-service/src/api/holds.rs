//! The holds of a ledger: value that is set aside, and what became of it.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use recount_service_kit::http::{NoParameters, Path, Query};
use recount_service_kit::problem::Problem;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::postgres::PgRow;
use sqlx::types::Json as Stored;
use sqlx::{FromRow, Postgres, QueryBuilder, Row};
use utoipa::{IntoParams, ToSchema};

use super::list::{Asked, Listed, Page, list_parameters};
use super::parameters::{Freshness, HoldStatus, InLedger, Moment};
use super::problems::{HOLD_NOT_FOUND, OfHolds, OfLedgerLists};
use crate::read::{Reader, Snapshot, Wish, failed};

/// A hold may be captured any number of times; the list of transactions has pages, this one has a bound.
const SELECT: &str = "select hold, status, debit, credit, asset, amount::text, captured::text, released::text, \
     remaining::text, expires_at, metadata, placed_at, placed_position, changed_at, position, \
     array(select captures.transaction from read.transactions as captures \
           where captures.log = holds.log and captures.captures = holds.hold \
           order by captures.position limit 100) as captured_by \
     from read.holds where log = ";

/// A hold. Amounts are in minor units; `amount` is what was captured, released and remains.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Hold {
    #[schema(example = "auth-1")]
    hold: String,
    #[schema(value_type = HoldStatus)]
    status: String,
    /// The account that a capture debits.
    #[schema(example = "users:alice:main")]
    debit: String,
    /// The account that a capture credits.
    #[schema(example = "shop:sales")]
    credit: String,
    #[schema(example = "USD/2")]
    asset: String,
    /// What was set aside when it was placed.
    #[schema(example = "10000")]
    amount: String,
    #[schema(example = "2500")]
    captured: String,
    /// What was given back: by a release, at the deadline, or by a capture that was the last.
    #[schema(example = "0")]
    released: String,
    /// What is still set aside.
    #[schema(example = "7500")]
    remaining: String,
    /// From this time on it cannot be captured any more.
    expires_at: Option<DateTime<Utc>>,
    #[schema(value_type = Object)]
    metadata: Box<RawValue>,
    /// The transactions that captured it, in their order: 100 at most. `/transactions?captures=` lists all of them.
    #[schema(example = json!(["capture-1"]))]
    captured_by: Vec<String>,
    placed_at: DateTime<Utc>,
    placed_position: i64,
    /// When the last event about it was recorded.
    changed_at: DateTime<Utc>,
    /// The position of the last event about it.
    position: i64,
}

impl FromRow<'_, PgRow> for Hold {
    fn from_row(row: &PgRow) -> Result<Hold, sqlx::Error> {
        let Stored(metadata) = row.try_get("metadata")?;
        Ok(Hold {
            hold: row.try_get("hold")?,
            status: row.try_get("status")?,
            debit: row.try_get("debit")?,
            credit: row.try_get("credit")?,
            asset: row.try_get("asset")?,
            amount: row.try_get("amount")?,
            captured: row.try_get("captured")?,
            released: row.try_get("released")?,
            remaining: row.try_get("remaining")?,
            expires_at: row.try_get("expires_at")?,
            metadata,
            captured_by: row.try_get("captured_by")?,
            placed_at: row.try_get("placed_at")?,
            placed_position: row.try_get("placed_position")?,
            changed_at: row.try_get("changed_at")?,
            position: row.try_get("position")?,
        })
    }
}

/// The path of a hold.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OfHold {
    /// The ledger's name.
    ledger: String,
    /// The hold's id.
    hold: String,
}

list_parameters! {
    /// Which holds.
    Parameters {
        /// Only holds of this status.
        #[param(inline)]
        status: Option<HoldStatus>,
        /// Only holds that would debit or credit this account.
        #[param(example = "users:alice:main")]
        account: Option<String>,
        /// Only holds with a deadline before this moment: a time by RFC 3339, or a date, which is its midnight in
        /// UTC.
        #[param(value_type = Option<String>, example = "2026-02-07T12:00:00Z")]
        expires_before: Option<Moment>,
    }
}

/// The holds of a ledger, in the order in which they were placed.
#[utoipa::path(get, path = "/v1/ledgers/{ledger}/holds", tag = "holds", operation_id = "list_holds",
    params(InLedger, Parameters, Freshness),
    responses((status = 200, description = "A page of holds", body = Page<Hold>,
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

/// One hold.
#[utoipa::path(get, path = "/v1/ledgers/{ledger}/holds/{hold}", tag = "holds", operation_id = "show_hold",
    params(OfHold, Freshness),
    responses((status = 200, description = "The hold", body = Hold,
        headers(("Recount-Position" = i64, description = "The position that the answer reflects"))), OfHolds))]
pub(super) async fn show(
    State(reader): State<Reader>,
    Path(OfHold { ledger, hold }): Path<OfHold>,
    Query(NoParameters {}): Query<NoParameters>,
    wish: Wish,
) -> Result<Response, Problem> {
    let mut snapshot = reader.ledger(&ledger, &wish).await?;
    let found = find(&mut snapshot, &hold).await;
    Ok(snapshot.answer(found.map(Json)))
}

async fn select(
    snapshot: &mut Snapshot,
    asked: &Asked<Parameters>,
    after: Option<i64>,
) -> Result<Listed<Hold>, Problem> {
    let log = snapshot.log();
    let mut query = QueryBuilder::<Postgres>::new(SELECT);
    query.push_bind(log).push(" and hold in (");
    match &asked.parameters.account {
        None => push_candidates(&mut query, log, asked, after, None),
        Some(account) => {
            push_candidates(&mut query, log, asked, after, Some((" and debit = ", account)));
            query.push(" union all ");
            push_candidates(&mut query, log, asked, after, Some((" and credit = ", account)));
        }
    }
    query.push(") order by placed_position limit ").push_bind(asked.list.fetch());
    let holds: Vec<Hold> =
        query.build_query_as().fetch_all(snapshot.connection()).await.map_err(|error| failed(&error))?;
    Ok(asked.list.page(holds, |hold| hold.placed_position))
}

/// The first holds of each status, on one side of an account or on any: the page is among them. So each of them is found
/// in an index that has just these in order, however many others there are.
fn push_candidates(
    query: &mut QueryBuilder<Postgres>,
    log: i64,
    Asked { parameters, list }: &Asked<Parameters>,
    after: Option<i64>,
    side: Option<(&'static str, &str)>,
) {
    let statuses = parameters.status.as_ref().map_or(&HoldStatus::ALL[..], std::slice::from_ref);
    let statuses: Vec<&str> = statuses.iter().map(|status| status.as_str()).collect();
    query.push("select candidates.hold from unnest(").push_bind(statuses);
    query.push("::text[]) as wanted(status) cross join lateral (select hold from read.holds where log = ");
    query.push_bind(log).push(" and status = wanted.status");
    if let Some((side, account)) = side {
        query.push(side).push_bind(account);
    }
    if let Some(Moment(moment)) = parameters.expires_before {
        query.push(" and expires_at < ").push_bind(moment);
    }
    if let Some(position) = after {
        query.push(" and placed_position > ").push_bind(position);
    }
    query.push(" order by placed_position limit ").push_bind(list.fetch()).push(") as candidates");
}

async fn find(snapshot: &mut Snapshot, id: &str) -> Result<Hold, Problem> {
    let log = snapshot.log();
    let mut query = QueryBuilder::<Postgres>::new(SELECT);
    query.push_bind(log).push(" and hold = ").push_bind(id);
    let found =
        query.build_query_as().fetch_optional(snapshot.connection()).await.map_err(|error| failed(&error))?;
    found.ok_or_else(|| Problem::new(&HOLD_NOT_FOUND, format!("There is no hold `{id}`.")).with("hold", id))
}
