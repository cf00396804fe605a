//! The history of the metadata of accounts and transactions.

use axum::extract::State;
use axum::response::Response;
use recount_service_kit::http::Path;
use recount_service_kit::problem::Problem;

use crate::questions::metadata_history::{self, MetadataChange, Owner};
use crate::read::{Freshness, Reader};
use crate::rest::answer::answer;
use crate::rest::list::{ListRequest, Page, list_parameters};
use crate::rest::parameters::{AccountPath, TransactionPath};
use crate::rest::problems::{AccountListProblems, TransactionListProblems};

list_parameters! {
    /// A metadata history has no filters.
    Parameters {}
}

/// The history of an account's metadata, in the order of recording.
#[utoipa::path(get, path = "/v1/ledgers/{ledger}/accounts/{account}/metadata-history", tag = "accounts",
    operation_id = "list_account_metadata_history", params(AccountPath, Parameters, Freshness),
    responses((status = 200, description = "A page of changes", body = Page<MetadataChange>,
        headers(("Recount-Position" = i64, description = "The position that the answer reflects"),
            ("Link" = Option<String>, description = "The next page, as `rel=\"next\"`"))), AccountListProblems))]
pub(in crate::rest) async fn of_account(
    State(reader): State<Reader>,
    Path(AccountPath { ledger, account }): Path<AccountPath>,
    ListRequest { list, .. }: ListRequest<Parameters>,
    freshness: Freshness,
) -> Result<Response, Problem> {
    let page = list.page()?;
    let mut snapshot = reader.ledger(&ledger, freshness).await?;
    let rows = metadata_history::list(&mut snapshot, Owner::Account(&account), &page).await;
    Ok(answer(&snapshot, rows.map(|rows| list.response(rows))))
}

/// The history of a transaction's metadata, in the order of recording.
#[utoipa::path(get, path = "/v1/ledgers/{ledger}/transactions/{transaction}/metadata-history", tag = "transactions",
    operation_id = "list_transaction_metadata_history", params(TransactionPath, Parameters, Freshness),
    responses((status = 200, description = "A page of changes", body = Page<MetadataChange>,
        headers(("Recount-Position" = i64, description = "The position that the answer reflects"),
            ("Link" = Option<String>, description = "The next page, as `rel=\"next\"`"))), TransactionListProblems))]
pub(in crate::rest) async fn of_transaction(
    State(reader): State<Reader>,
    Path(TransactionPath { ledger, transaction }): Path<TransactionPath>,
    ListRequest { list, .. }: ListRequest<Parameters>,
    freshness: Freshness,
) -> Result<Response, Problem> {
    let page = list.page()?;
    let mut snapshot = reader.ledger(&ledger, freshness).await?;
    let rows = metadata_history::list(&mut snapshot, Owner::Transaction(&transaction), &page).await;
    Ok(answer(&snapshot, rows.map(|rows| list.response(rows))))
}
