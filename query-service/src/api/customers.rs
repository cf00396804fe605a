//! The customers of a ledger: whom the accounts belong to.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use recount_service_kit::http::{NoParameters, Path, Query};
use recount_service_kit::problem::Problem;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::postgres::PgRow;
use sqlx::types::Json as Stored;
use sqlx::{FromRow, Postgres, QueryBuilder, Row};
use utoipa::{IntoParams, ToSchema};

use super::list::{Asked, Listed, Page, list_parameters};
use super::parameters::{Freshness, InLedger};
use super::problems::{CUSTOMER_NOT_FOUND, OfCustomers, OfLedgerLists};
use crate::read::{Reader, Snapshot, Wish, failed};

/// A customer may have any number of accounts; the list of accounts has pages, this one has a bound.
const SELECT: &str = "select customer, profile, metadata, forgotten, registered_at, registered_position, position, \
     array(select links.account from read.customer_accounts as links \
           where links.log = customers.log and links.customer = customers.customer \
           order by links.account collate \"C\" limit 100) as accounts \
     from read.customers where log = ";

/// A customer. Of one who was forgotten, profile and metadata are empty.
#[derive(Serialize, ToSchema)]
pub(super) struct Customer {
    #[schema(example = "c-1")]
    customer: String,
    #[schema(value_type = Profile)]
    profile: Box<RawValue>,
    #[schema(value_type = Object)]
    metadata: Box<RawValue>,
    forgotten: bool,
    /// The accounts of the customer, by name: 100 at most. `/accounts?customer=` lists all of them.
    #[schema(example = json!(["users:alice:main"]))]
    accounts: Vec<String>,
    registered_at: DateTime<Utc>,
    registered_position: i64,
    /// The position of the last event that concerned the customer.
    position: i64,
}

/// What is known about a customer as a person. What is not known is not there.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used; a profile is passed on as it was stored")]
struct Profile {
    #[schema(example = "Alice Example", nullable = false)]
    name: Option<String>,
    #[schema(example = "alice@example.org", nullable = false)]
    email: Option<String>,
    #[schema(example = "+1 555 0100", nullable = false)]
    phone: Option<String>,
    #[schema(example = "1 Main Street", nullable = false)]
    address: Option<String>,
    /// Texts by name.
    #[schema(value_type = Option<Object>, nullable = false)]
    attributes: Option<Box<RawValue>>,
}

impl FromRow<'_, PgRow> for Customer {
    fn from_row(row: &PgRow) -> Result<Customer, sqlx::Error> {
        let Stored(profile) = row.try_get("profile")?;
        let Stored(metadata) = row.try_get("metadata")?;
        Ok(Customer {
            customer: row.try_get("customer")?,
            profile,
            metadata,
            forgotten: row.try_get("forgotten")?,
            accounts: row.try_get("accounts")?,
            registered_at: row.try_get("registered_at")?,
            registered_position: row.try_get("registered_position")?,
            position: row.try_get("position")?,
        })
    }
}

/// The path of a customer.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OfCustomer {
    /// The ledger's name.
    ledger: String,
    /// The customer's id.
    customer: String,
}

list_parameters! {
    /// Which customers.
    Parameters {
        /// Only customers to whom this account is linked.
        #[param(example = "users:alice:main")]
        account: Option<String>,
    }
}

/// The customers of a ledger, by id in byte order.
#[utoipa::path(get, path = "/v1/ledgers/{ledger}/customers", tag = "customers", operation_id = "list_customers",
    params(InLedger, Parameters, Freshness),
    responses((status = 200, description = "A page of customers", body = Page<Customer>,
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

/// One customer.
#[utoipa::path(get, path = "/v1/ledgers/{ledger}/customers/{customer}", tag = "customers",
    operation_id = "show_customer", params(OfCustomer, Freshness),
    responses((status = 200, description = "The customer", body = Customer,
        headers(("Recount-Position" = i64, description = "The position that the answer reflects"))), OfCustomers))]
pub(super) async fn show(
    State(reader): State<Reader>,
    Path(OfCustomer { ledger, customer }): Path<OfCustomer>,
    Query(NoParameters {}): Query<NoParameters>,
    wish: Wish,
) -> Result<Response, Problem> {
    let mut snapshot = reader.ledger(&ledger, &wish).await?;
    let found = find(&mut snapshot, &customer).await;
    Ok(snapshot.answer(found.map(Json)))
}

async fn select(
    snapshot: &mut Snapshot,
    Asked { parameters, list }: &Asked<Parameters>,
    after: Option<String>,
) -> Result<Listed<Customer>, Problem> {
    let log = snapshot.log();
    let mut query = QueryBuilder::<Postgres>::new(SELECT);
    query.push_bind(log).push(" and customer collate \"C\" > ").push_bind(after.unwrap_or_default());
    if let Some(account) = &parameters.account {
        query
            .push(" and customer in (select customer from read.customer_accounts where log = ")
            .push_bind(log);
        query.push(" and account = ").push_bind(account).push(")");
    }
    query.push(" order by customer collate \"C\" limit ").push_bind(list.fetch());
    let customers: Vec<Customer> =
        query.build_query_as().fetch_all(snapshot.connection()).await.map_err(|error| failed(&error))?;
    Ok(list.page(customers, |customer| customer.customer.clone()))
}

async fn find(snapshot: &mut Snapshot, id: &str) -> Result<Customer, Problem> {
    let log = snapshot.log();
    let mut query = QueryBuilder::<Postgres>::new(SELECT);
    query.push_bind(log).push(" and customer = ").push_bind(id);
    let found =
        query.build_query_as().fetch_optional(snapshot.connection()).await.map_err(|error| failed(&error))?;
    found.ok_or_else(|| {
        Problem::new(&CUSTOMER_NOT_FOUND, format!("There is no customer `{id}`.")).with("customer", id)
    })
}
