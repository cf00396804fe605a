//! The statement of an account.

use axum::extract::State;
use axum::response::Response;
use recount_service_kit::http::{Path, invalid_parameter};
use recount_service_kit::problem::Problem;

use crate::questions::statement::{self, StatementEntry, StatementFilter};
use crate::read::{Freshness, Reader};
use crate::rest::answer::answer;
use crate::rest::list::{ListRequest, Page, list_parameters};
use crate::rest::parameters::AccountPath;
use crate::rest::problems::AccountListProblems;

list_parameters! {
    /// The filters of a statement.
    Parameters {
        /// Only entries in this asset.
        #[param(example = "USD/2")]
        asset: Option<String>,
        /// Only entries that were recorded after this position.
        #[param(minimum = 0)]
        after: Option<i64>,
    }
}

impl From<Parameters> for StatementFilter {
    fn from(Parameters { asset, after, .. }: Parameters) -> StatementFilter {
        StatementFilter { asset, after }
    }
}

/// The entries of an account in the order of recording, each with the balance after it.
#[utoipa::path(get, path = "/v1/ledgers/{ledger}/accounts/{account}/statement", tag = "accounts",
    operation_id = "show_statement",
    params(AccountPath, Parameters, Freshness),
    responses((status = 200, description = "A page of entries", body = Page<StatementEntry>,
        headers(("Recount-Position" = i64, description = "The position that the answer reflects"),
            ("Link" = Option<String>, description = "The next page, as `rel=\"next\"`"))), AccountListProblems))]
pub(in crate::rest) async fn show(
    State(reader): State<Reader>,
    Path(AccountPath { ledger, account }): Path<AccountPath>,
    ListRequest { parameters, list }: ListRequest<Parameters>,
    freshness: Freshness,
) -> Result<Response, Problem> {
    if let Some(position) = parameters.after.filter(|position| *position < 0) {
        let detail = format!("`after` is {position}; it has to be a position, a whole number from 0 up.");
        return Err(invalid_parameter("after", detail));
    }
    let page = list.page()?;
    let mut snapshot = reader.ledger(&ledger, freshness).await?;
    let rows = statement::list(&mut snapshot, &account, &parameters.into(), &page).await;
    Ok(answer(&snapshot, rows.map(|rows| list.response(rows))))
}
