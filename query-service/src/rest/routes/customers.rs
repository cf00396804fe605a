//! The customers of a ledger.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use recount_service_kit::http::{NoParameters, Path, Query};
use recount_service_kit::problem::Problem;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::questions::customers::{self, Customer, CustomerFilter};
use crate::read::{Freshness, Reader};
use crate::rest::answer::answer;
use crate::rest::list::{ListRequest, Page, list_parameters};
use crate::rest::parameters::LedgerPath;
use crate::rest::problems::{CustomerProblems, LedgerListProblems};

/// The path of a customer.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::rest) struct CustomerPath {
    /// The ledger's name.
    ledger: String,
    /// The customer's id.
    customer: String,
}

list_parameters! {
    /// The filters of the list of customers.
    Parameters {
        /// Only customers to whom this account is linked.
        #[param(example = "users:alice:main")]
        account: Option<String>,
    }
}

impl From<Parameters> for CustomerFilter {
    fn from(Parameters { account, .. }: Parameters) -> CustomerFilter {
        CustomerFilter { account }
    }
}

/// The customers of a ledger, by id in byte order.
#[utoipa::path(get, path = "/v1/ledgers/{ledger}/customers", tag = "customers", operation_id = "list_customers",
    params(LedgerPath, Parameters, Freshness),
    responses((status = 200, description = "A page of customers", body = Page<Customer>,
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
    let rows = customers::list(&mut snapshot, &parameters.into(), &page).await;
    Ok(answer(&snapshot, rows.map(|rows| list.response(rows))))
}

/// One customer.
#[utoipa::path(get, path = "/v1/ledgers/{ledger}/customers/{customer}", tag = "customers",
    operation_id = "show_customer", params(CustomerPath, Freshness),
    responses((status = 200, description = "The customer", body = Customer,
        headers(("Recount-Position" = i64, description = "The position that the answer reflects"))), CustomerProblems))]
pub(in crate::rest) async fn show(
    State(reader): State<Reader>,
    Path(CustomerPath { ledger, customer }): Path<CustomerPath>,
    Query(NoParameters {}): Query<NoParameters>,
    freshness: Freshness,
) -> Result<Response, Problem> {
    let mut snapshot = reader.ledger(&ledger, freshness).await?;
    let found = customers::find(&mut snapshot, &customer).await;
    Ok(answer(&snapshot, found.map(Json)))
}
