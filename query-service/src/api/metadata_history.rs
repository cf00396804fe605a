//! The history of the metadata of accounts and transactions: what was set and removed, and when.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use recount_service_kit::http::Path;
use recount_service_kit::problem::Problem;
use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::postgres::PgRow;
use sqlx::types::Json as Stored;
use sqlx::{FromRow, Row};
use utoipa::ToSchema;

use super::list::{Asked, Listed, Page, list_parameters};
use super::parameters::{Freshness, OfAccount, OfTransaction};
use super::problems::{OfAccountLists, OfTransactionLists};
use super::{accounts, transactions};
use crate::read::{Reader, Snapshot, Wish, failed};

/// A change of metadata. The first is what was given when the account was opened or the transaction posted, also if that
/// was nothing.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MetadataChange {
    /// The position of the event that made it.
    #[schema(example = 71)]
    position: i64,
    recorded_at: DateTime<Utc>,
    /// The members that have these values from then on.
    #[schema(value_type = Object)]
    set: Box<RawValue>,
    /// The names of the members that were there until then.
    #[schema(value_type = Vec<String>, example = json!(["note"]))]
    removed: Box<RawValue>,
}

impl FromRow<'_, PgRow> for MetadataChange {
    fn from_row(row: &PgRow) -> Result<MetadataChange, sqlx::Error> {
        let Stored(set) = row.try_get("set_members")?;
        let Stored(removed) = row.try_get("removed_keys")?;
        Ok(MetadataChange {
            position: row.try_get("position")?,
            recorded_at: row.try_get("recorded_at")?,
            set,
            removed,
        })
    }
}

list_parameters! {
    /// Which changes.
    Parameters {}
}

/// The history of an account's metadata, in the order of recording.
#[utoipa::path(get, path = "/v1/ledgers/{ledger}/accounts/{account}/metadata-history", tag = "accounts",
    operation_id = "list_account_metadata_history", params(OfAccount, Parameters, Freshness),
    responses((status = 200, description = "A page of changes", body = Page<MetadataChange>,
        headers(("Recount-Position" = i64, description = "The position that the answer reflects"),
            ("Link" = Option<String>, description = "The page that follows, as `rel=\"next\"`"))), OfAccountLists))]
pub(super) async fn of_account(
    State(reader): State<Reader>,
    Path(OfAccount { ledger, account }): Path<OfAccount>,
    asked: Asked<Parameters>,
    wish: Wish,
) -> Result<Response, Problem> {
    let after = asked.after()?;
    let mut snapshot = reader.ledger(&ledger, &wish).await?;
    let owner = Owner { kind: "account", name: &account, not_found: accounts::not_found };
    let listed = select(&mut snapshot, &asked, &owner, after).await;
    Ok(snapshot.answer(listed))
}

/// The history of a transaction's metadata, in the order of recording.
#[utoipa::path(get, path = "/v1/ledgers/{ledger}/transactions/{transaction}/metadata-history", tag = "transactions",
    operation_id = "list_transaction_metadata_history", params(OfTransaction, Parameters, Freshness),
    responses((status = 200, description = "A page of changes", body = Page<MetadataChange>,
        headers(("Recount-Position" = i64, description = "The position that the answer reflects"),
            ("Link" = Option<String>, description = "The page that follows, as `rel=\"next\"`"))), OfTransactionLists))]
pub(super) async fn of_transaction(
    State(reader): State<Reader>,
    Path(OfTransaction { ledger, transaction }): Path<OfTransaction>,
    asked: Asked<Parameters>,
    wish: Wish,
) -> Result<Response, Problem> {
    let after = asked.after()?;
    let mut snapshot = reader.ledger(&ledger, &wish).await?;
    let owner = Owner { kind: "transaction", name: &transaction, not_found: transactions::not_found };
    let listed = select(&mut snapshot, &asked, &owner, after).await;
    Ok(snapshot.answer(listed))
}

/// What the metadata belongs to.
struct Owner<'a> {
    kind: &'static str,
    name: &'a str,
    not_found: fn(&str) -> Problem,
}

async fn select(
    snapshot: &mut Snapshot,
    Asked { list, .. }: &Asked<Parameters>,
    owner: &Owner<'_>,
    after: Option<i64>,
) -> Result<Listed<MetadataChange>, Problem> {
    let log = snapshot.log();
    let changes: Vec<MetadataChange> = sqlx::query_as(
        "select position, recorded_at, set_members, removed_keys from read.metadata_history \
         where log = $1 and owner_kind = $2 and owner = $3 and position > $4 order by position limit $5",
    )
    .bind(log)
    .bind(owner.kind)
    .bind(owner.name)
    .bind(after.unwrap_or(0))
    .bind(list.fetch())
    .fetch_all(snapshot.connection())
    .await
    .map_err(|error| failed(&error))?;
    // Whatever is there has at least its beginning.
    if changes.is_empty() && after.is_none() {
        return Err((owner.not_found)(owner.name));
    }
    Ok(list.page(changes, |change| change.position))
}
