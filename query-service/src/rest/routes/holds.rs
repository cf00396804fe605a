//! The holds of a ledger.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use recount_service_kit::http::{NoParameters, Path, Query};
use recount_service_kit::problem::Problem;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::questions::holds::{self, Hold, HoldFilter, HoldStatus};
use crate::read::{Freshness, Reader};
use crate::rest::answer::answer;
use crate::rest::list::{ListRequest, Page, list_parameters};
use crate::rest::parameters::{LedgerPath, Moment};
use crate::rest::problems::{HoldProblems, LedgerListProblems};

/// The path of a hold.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::rest) struct HoldPath {
    /// The ledger's name.
    ledger: String,
    /// The hold's id.
    hold: String,
}

list_parameters! {
    /// The filters of the list of holds.
    Parameters {
        /// Only holds of this status.
        #[param(inline)]
        status: Option<HoldStatus>,
        /// Only holds that would debit or credit this account.
        #[param(example = "users:alice:main")]
        account: Option<String>,
        /// Only holds with a deadline before this moment: an RFC 3339 time, or a date, which means midnight UTC.
        #[param(value_type = Option<String>, example = "2026-02-07T12:00:00Z")]
        expires_before: Option<Moment>,
    }
}

impl From<Parameters> for HoldFilter {
    fn from(Parameters { status, account, expires_before, .. }: Parameters) -> HoldFilter {
        HoldFilter { status, account, expires_before: expires_before.map(|Moment(moment)| moment) }
    }
}

/// The holds of a ledger, in the order in which they were placed.
#[utoipa::path(get, path = "/v1/ledgers/{ledger}/holds", tag = "holds", operation_id = "list_holds",
    params(LedgerPath, Parameters, Freshness),
    responses((status = 200, description = "A page of holds", body = Page<Hold>,
        headers(("Recount-Position" = i64, description = "The position that the answer reflects"),
            ("Link" = Option<String>, description = "The next page, as `rel=\"next\"`"))), LedgerListProblems))]
pub(in crate::rest) async fn list(
    State(reader): State<Reader>,
    Path(LedgerPath { ledger }): Path<LedgerPath>,
    ListRequest { parameters, list }: ListRequest<Parameters>,
    freshness: Freshness,
) -> Result<Response, Problem> {
    let page = list.page()?;
    let mut snapshot = reader.ledger(&ledger, freshness).await?;
    let rows = holds::list(&mut snapshot, &parameters.into(), &page).await;
    Ok(answer(&snapshot, rows.map(|rows| list.response(rows))))
}

/// One hold.
#[utoipa::path(get, path = "/v1/ledgers/{ledger}/holds/{hold}", tag = "holds", operation_id = "show_hold",
    params(HoldPath, Freshness),
    responses((status = 200, description = "The hold", body = Hold,
        headers(("Recount-Position" = i64, description = "The position that the answer reflects"))), HoldProblems))]
pub(in crate::rest) async fn show(
    State(reader): State<Reader>,
    Path(HoldPath { ledger, hold }): Path<HoldPath>,
    Query(NoParameters {}): Query<NoParameters>,
    freshness: Freshness,
) -> Result<Response, Problem> {
    let mut snapshot = reader.ledger(&ledger, freshness).await?;
    let found = holds::find(&mut snapshot, &hold).await;
    Ok(answer(&snapshot, found.map(Json)))
}
