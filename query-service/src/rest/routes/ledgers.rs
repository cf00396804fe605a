//! The ledgers of the deployment.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use recount_service_kit::http::{NoParameters, Path, Query};
use recount_service_kit::problem::{Problem, kinds};

use crate::questions::ledgers::{self, Ledger, LedgerSummary};
use crate::read::{Freshness, Reader};
use crate::rest::answer::answer;
use crate::rest::freshness::AT_LEAST;
use crate::rest::list::{ListRequest, ListResponse, Page, list_parameters};
use crate::rest::parameters::LedgerPath;
use crate::rest::problems::{LedgerProblems, ListProblems};

list_parameters! {
    /// The list of ledgers has no filters.
    Parameters {}
}

/// The ledgers, by name in byte order, without their charts.
#[utoipa::path(get, path = "/v1/ledgers", tag = "ledgers", operation_id = "list_ledgers", params(Parameters),
    responses((status = 200, description = "A page of ledgers", body = Page<LedgerSummary>,
        headers(("Link" = Option<String>, description = "The next page, as `rel=\"next\"`"))), ListProblems))]
pub(in crate::rest) async fn list(
    State(reader): State<Reader>,
    ListRequest { list, .. }: ListRequest<Parameters>,
    headers: HeaderMap,
) -> Result<ListResponse<LedgerSummary>, Problem> {
    if headers.contains_key(&AT_LEAST) {
        return Err(Problem::new(
            &kinds::INVALID_REQUEST,
            "Recount-At-Least is a position of one ledger; the list of ledgers has no position of its own.",
        )
        .with("header", AT_LEAST.as_str()));
    }
    let page = list.page()?;
    let mut snapshot = reader.all_ledgers().await?;
    let rows = ledgers::list(&mut snapshot, &page).await?;
    Ok(list.response(rows))
}

/// One ledger.
#[utoipa::path(get, path = "/v1/ledgers/{ledger}", tag = "ledgers", operation_id = "show_ledger",
    params(LedgerPath, Freshness),
    responses((status = 200, description = "The ledger", body = Ledger,
        headers(("Recount-Position" = i64, description = "The position that the answer reflects"))), LedgerProblems))]
pub(in crate::rest) async fn show(
    State(reader): State<Reader>,
    Path(LedgerPath { ledger }): Path<LedgerPath>,
    Query(NoParameters {}): Query<NoParameters>,
    freshness: Freshness,
) -> Result<Response, Problem> {
    let mut snapshot = reader.ledger(&ledger, freshness).await?;
    let found = ledgers::find(&mut snapshot).await;
    Ok(answer(&snapshot, found.map(Json)))
}
