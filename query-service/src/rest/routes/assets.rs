//! The assets of a ledger.

use axum::extract::State;
use axum::response::Response;
use recount_service_kit::http::Path;
use recount_service_kit::problem::Problem;

use crate::questions::assets::{self, Asset};
use crate::read::{Freshness, Reader};
use crate::rest::answer::answer;
use crate::rest::list::{ListRequest, Page, list_parameters};
use crate::rest::parameters::LedgerPath;
use crate::rest::problems::LedgerListProblems;

list_parameters! {
    /// The list of assets has no filters.
    Parameters {}
}

/// The assets of a ledger, by code in byte order.
#[utoipa::path(get, path = "/v1/ledgers/{ledger}/assets", tag = "ledgers", operation_id = "list_assets",
    params(LedgerPath, Parameters, Freshness),
    responses((status = 200, description = "A page of assets", body = Page<Asset>,
        headers(("Recount-Position" = i64, description = "The position that the answer reflects"),
            ("Link" = Option<String>, description = "The next page, as `rel=\"next\"`"))), LedgerListProblems))]
pub(in crate::rest) async fn list(
    State(reader): State<Reader>,
    Path(LedgerPath { ledger }): Path<LedgerPath>,
    ListRequest { list, .. }: ListRequest<Parameters>,
    freshness: Freshness,
) -> Result<Response, Problem> {
    let page = list.page()?;
    let mut snapshot = reader.ledger(&ledger, freshness).await?;
    let rows = assets::list(&mut snapshot, &page).await;
    Ok(answer(&snapshot, rows.map(|rows| list.response(rows))))
}
