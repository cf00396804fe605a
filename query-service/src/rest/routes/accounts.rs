//! The accounts of a ledger.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use recount_service_kit::http::{NoParameters, Path, Query};
use recount_service_kit::problem::Problem;

use crate::questions::accounts::{self, Account, AccountFilter, Kind};
use crate::read::{Freshness, Reader};
use crate::rest::answer::answer;
use crate::rest::list::{ListRequest, Page, list_parameters};
use crate::rest::parameters::{AccountPath, LedgerPath};
use crate::rest::problems::{AccountProblems, LedgerListProblems};

list_parameters! {
    /// The filters of the list of accounts.
    Parameters {
        /// Only accounts whose names start with this text.
        #[param(example = "Assets:")]
        prefix: Option<String>,
        /// Only accounts of this kind.
        #[param(inline)]
        kind: Option<Kind>,
        /// Only accounts that are linked to this customer.
        #[param(example = "c-1")]
        customer: Option<String>,
    }
}

impl From<Parameters> for AccountFilter {
    fn from(Parameters { prefix, kind, customer, .. }: Parameters) -> AccountFilter {
        AccountFilter { prefix, kind, customer }
    }
}

/// The accounts of a ledger, by name in byte order.
#[utoipa::path(get, path = "/v1/ledgers/{ledger}/accounts", tag = "accounts", operation_id = "list_accounts",
    params(LedgerPath, Parameters, Freshness),
    responses((status = 200, description = "A page of accounts", body = Page<Account>,
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
    let rows = accounts::list(&mut snapshot, &parameters.into(), &page).await;
    Ok(answer(&snapshot, rows.map(|rows| list.response(rows))))
}

/// One account.
#[utoipa::path(get, path = "/v1/ledgers/{ledger}/accounts/{account}", tag = "accounts", operation_id = "show_account",
    params(AccountPath, Freshness),
    responses((status = 200, description = "The account", body = Account,
        headers(("Recount-Position" = i64, description = "The position that the answer reflects"))), AccountProblems))]
pub(in crate::rest) async fn show(
    State(reader): State<Reader>,
    Path(AccountPath { ledger, account }): Path<AccountPath>,
    Query(NoParameters {}): Query<NoParameters>,
    freshness: Freshness,
) -> Result<Response, Problem> {
    let mut snapshot = reader.ledger(&ledger, freshness).await?;
    let found = accounts::find(&mut snapshot, &account).await;
    Ok(answer(&snapshot, found.map(Json)))
}
