//! The assets that a ledger counts.

use axum::extract::State;
use axum::response::Response;
use recount_service_kit::http::Path;
use recount_service_kit::problem::Problem;
use serde::Serialize;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row};
use utoipa::ToSchema;

use super::list::{Asked, Listed, Page, list_parameters};
use super::parameters::{Freshness, InLedger};
use super::problems::OfLedgerLists;
use crate::read::{Reader, Snapshot, Wish, failed};

/// An asset.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Asset {
    /// The asset with its scale, as entries name it.
    #[schema(example = "USD/2")]
    asset: String,
    #[schema(example = "USD")]
    code: String,
    /// The number of decimals.
    #[schema(example = 2)]
    scale: i32,
    registered_position: i64,
}

impl FromRow<'_, PgRow> for Asset {
    fn from_row(row: &PgRow) -> Result<Asset, sqlx::Error> {
        Ok(Asset {
            asset: row.try_get("asset")?,
            code: row.try_get("code")?,
            scale: row.try_get("scale")?,
            registered_position: row.try_get("registered_position")?,
        })
    }
}

list_parameters! {
    /// Which assets.
    Parameters {}
}

/// The assets of a ledger, by code.
#[utoipa::path(get, path = "/v1/ledgers/{ledger}/assets", tag = "ledgers", operation_id = "list_assets",
    params(InLedger, Parameters, Freshness),
    responses((status = 200, description = "A page of assets", body = Page<Asset>,
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

async fn select(
    snapshot: &mut Snapshot,
    Asked { list, .. }: &Asked<Parameters>,
    after: Option<String>,
) -> Result<Listed<Asset>, Problem> {
    let log = snapshot.log();
    let assets = sqlx::query_as(
        "select asset, code, scale, registered_position from read.assets \
         where log = $1 and code collate \"C\" > $2 order by code collate \"C\" limit $3",
    )
    .bind(log)
    .bind(after.unwrap_or_default())
    .bind(list.fetch())
    .fetch_all(snapshot.connection())
    .await
    .map_err(|error| failed(&error))?;
    Ok(list.page(assets, |asset: &Asset| asset.code.clone()))
}
