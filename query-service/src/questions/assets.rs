//! The assets of a ledger.

use serde::Serialize;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row};
use utoipa::ToSchema;

use super::{PageRequest, QuestionError, Rows};
use crate::read::Snapshot;

/// An asset.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Asset {
    /// The asset with its scale, as entries name it.
    #[schema(example = "USD/2")]
    pub(crate) asset: String,
    #[schema(example = "USD")]
    pub(crate) code: String,
    /// The number of decimals.
    #[schema(example = 2)]
    pub(crate) scale: i32,
    pub(crate) registered_position: i64,
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

/// The assets of the ledger, by code in byte order.
pub(crate) async fn list(
    snapshot: &mut Snapshot,
    page: &PageRequest<String>,
) -> Result<Rows<Asset, String>, QuestionError> {
    let log = snapshot.log();
    let assets = sqlx::query_as(
        "select asset, code, scale, registered_position from read.assets \
         where log = $1 and code collate \"C\" > $2 order by code collate \"C\" limit $3",
    )
    .bind(log)
    .bind(page.after.as_deref().unwrap_or_default())
    .bind(page.fetch_limit())
    .fetch_all(snapshot.connection())
    .await?;
    Ok(page.rows(assets, |asset: &Asset| asset.code.clone()))
}
