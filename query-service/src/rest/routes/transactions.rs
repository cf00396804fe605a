//! The transactions of a ledger.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use recount_service_kit::http::{NoParameters, Path, Query};
use recount_service_kit::problem::Problem;

use crate::questions::transactions::{self, Order, Transaction, TransactionFilter};
use crate::read::{Freshness, Reader};
use crate::rest::answer::answer;
use crate::rest::list::{ListRequest, Page, list_parameters};
use crate::rest::parameters::{LedgerPath, Moment, TransactionPath};
use crate::rest::problems::{LedgerListProblems, TransactionProblems};

list_parameters! {
    /// The filters of the list of transactions, and its order.
    Parameters {
        /// Only transactions with an entry on this account.
        account: Option<String>,
        /// Only the transaction with this reference.
        reference: Option<String>,
        /// Only transactions that reverse this one, in whole or in part.
        reverses: Option<String>,
        /// Only transactions that capture this hold.
        captures: Option<String>,
        /// Only transactions that take effect at this moment or later: an RFC 3339 time, or a date, which means midnight
        /// UTC.
        #[param(value_type = Option<String>, example = "2013-07-01")]
        effective_from: Option<Moment>,
        /// Only transactions that take effect before this moment. A date excludes the day itself.
        #[param(value_type = Option<String>, example = "2013-08-01T00:00:00Z")]
        effective_to: Option<Moment>,
        /// The order of the list; default `asc`, the order of recording.
        #[param(inline)]
        #[serde(default)]
        order: Order,
    }
}

impl From<Parameters> for TransactionFilter {
    fn from(parameters: Parameters) -> TransactionFilter {
        TransactionFilter {
            account: parameters.account,
            reference: parameters.reference,
            reverses: parameters.reverses,
            captures: parameters.captures,
            effective_from: parameters.effective_from.map(|Moment(moment)| moment),
            effective_to: parameters.effective_to.map(|Moment(moment)| moment),
            order: parameters.order,
        }
    }
}

/// The transactions of a ledger.
#[utoipa::path(get, path = "/v1/ledgers/{ledger}/transactions", tag = "transactions",
    operation_id = "list_transactions",
    params(LedgerPath, Parameters, Freshness),
    responses((status = 200, description = "A page of transactions", body = Page<Transaction>,
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
    let rows = transactions::list(&mut snapshot, &parameters.into(), &page).await;
    Ok(answer(&snapshot, rows.map(|rows| list.response(rows))))
}

/// One transaction.
#[utoipa::path(get, path = "/v1/ledgers/{ledger}/transactions/{transaction}", tag = "transactions",
    operation_id = "show_transaction",
    params(TransactionPath, Freshness),
    responses((status = 200, description = "The transaction", body = Transaction,
        headers(("Recount-Position" = i64, description = "The position that the answer reflects"))), TransactionProblems))]
pub(in crate::rest) async fn show(
    State(reader): State<Reader>,
    Path(TransactionPath { ledger, transaction }): Path<TransactionPath>,
    Query(NoParameters {}): Query<NoParameters>,
    freshness: Freshness,
) -> Result<Response, Problem> {
    let mut snapshot = reader.ledger(&ledger, freshness).await?;
    let found = transactions::find(&mut snapshot, &transaction).await;
    Ok(answer(&snapshot, found.map(Json)))
}
