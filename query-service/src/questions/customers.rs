//! The customers of a ledger, who own its accounts.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{FromRow, Postgres, QueryBuilder, Row};
use utoipa::ToSchema;

use super::{Entity, PageRequest, QuestionError, Rows};
use crate::read::Snapshot;

/// A customer may have any number of accounts, so this list of them is limited; the list of accounts has pages.
const SELECT: &str = "select customer, profile, metadata, forgotten, registered_at, registered_position, position, \
     array(select links.account from read.customer_accounts as links \
           where links.log = customers.log and links.customer = customers.customer \
           order by links.account collate \"C\" limit 100) as accounts \
     from read.customers where log = ";

/// A customer. Once a customer has been forgotten, profile and metadata are empty.
#[derive(Serialize, ToSchema)]
pub(crate) struct Customer {
    #[schema(example = "c-1")]
    pub(crate) customer: String,
    #[schema(value_type = Profile)]
    pub(crate) profile: Box<RawValue>,
    #[schema(value_type = Object)]
    pub(crate) metadata: Box<RawValue>,
    pub(crate) forgotten: bool,
    /// The names of the customer's accounts, at most 100. The list of accounts with the filter `customer` has all of
    /// them.
    #[schema(example = json!(["users:alice:main"]))]
    pub(crate) accounts: Vec<String>,
    pub(crate) registered_at: DateTime<Utc>,
    pub(crate) registered_position: i64,
    /// The position of the last event about the customer.
    pub(crate) position: i64,
}

/// Personal data of a customer. Unknown members are absent.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used; a profile is returned as it was stored")]
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
        let Json(profile) = row.try_get("profile")?;
        let Json(metadata) = row.try_get("metadata")?;
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

/// The customers that meet all conditions.
#[derive(Clone, Debug, Default)]
pub(crate) struct CustomerFilter {
    /// An account that is linked to the customer.
    pub(crate) account: Option<String>,
}

/// The customers of the ledger, by id in byte order.
pub(crate) async fn list(
    snapshot: &mut Snapshot,
    filter: &CustomerFilter,
    page: &PageRequest<String>,
) -> Result<Rows<Customer, String>, QuestionError> {
    let log = snapshot.log();
    let mut query = QueryBuilder::<Postgres>::new(SELECT);
    query.push_bind(log);
    query.push(" and customer collate \"C\" > ").push_bind(page.after.as_deref().unwrap_or_default());
    if let Some(account) = &filter.account {
        query
            .push(" and customer in (select customer from read.customer_accounts where log = ")
            .push_bind(log);
        query.push(" and account = ").push_bind(account).push(")");
    }
    query.push(" order by customer collate \"C\" limit ").push_bind(page.fetch_limit());
    let customers = query.build_query_as().fetch_all(snapshot.connection()).await?;
    Ok(page.rows(customers, |customer: &Customer| customer.customer.clone()))
}

/// One customer.
pub(crate) async fn find(snapshot: &mut Snapshot, id: &str) -> Result<Customer, QuestionError> {
    let log = snapshot.log();
    let mut query = QueryBuilder::<Postgres>::new(SELECT);
    query.push_bind(log).push(" and customer = ").push_bind(id);
    let customer = query.build_query_as().fetch_optional(snapshot.connection()).await?;
    customer.ok_or_else(|| QuestionError::not_found(Entity::Customer, id))
}
