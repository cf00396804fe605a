//! The accounts of a ledger, with their balances.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use recount_service_kit::http::{NoParameters, Path, Query};
use recount_service_kit::problem::Problem;
use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::postgres::PgRow;
use sqlx::types::Json as Stored;
use sqlx::{FromRow, Postgres, QueryBuilder, Row};
use utoipa::ToSchema;

use super::balances::{self, Balance};
use super::list::{Asked, Listed, Page, list_parameters};
use super::parameters::{Freshness, InLedger, Kind, OfAccount};
use super::policy::{BalanceLimit, OverdraftPolicy};
use super::problems::{ACCOUNT_NOT_FOUND, OfAccounts, OfLedgerLists};
use crate::read::{Reader, Snapshot, Wish, failed};

/// An account may be linked to any number of customers; their list has pages, this one has a bound.
const SELECT: &str = "select account, kind, overdraft, limits, assets, on_first_use, frozen_debits, frozen_credits, \
     closed, metadata, opened_position, opened_at, position, \
     array(select links.customer from read.customer_accounts as links \
           where links.log = accounts.log and links.account = accounts.account \
           order by links.customer collate \"C\" limit 100) as customers \
     from read.accounts where log = ";

/// An account.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Account {
    #[schema(example = "Assets:US:BofA:Checking")]
    account: String,
    #[schema(value_type = Kind)]
    kind: String,
    #[schema(value_type = OverdraftPolicy)]
    overdraft: Box<RawValue>,
    /// The bounds of its balances.
    #[schema(value_type = Vec<BalanceLimit>)]
    limits: Box<RawValue>,
    /// The assets that it may hold; any, if there are none.
    #[schema(value_type = Vec<String>, example = json!(["USD/2"]))]
    assets: Box<RawValue>,
    /// Whether the first transaction or hold that named it opened it, as the chart says.
    on_first_use: bool,
    frozen: Frozen,
    closed: bool,
    /// As it is now; its history is at `/metadata-history`.
    #[schema(value_type = Object)]
    metadata: Box<RawValue>,
    /// Whose it is, by id: 100 at most. `/customers?account=` lists all of them.
    #[schema(example = json!(["c-1"]))]
    customers: Vec<String>,
    opened_at: DateTime<Utc>,
    opened_position: i64,
    /// The position of the last event that concerned the account.
    position: i64,
    /// One for each asset that the account has had an entry or a hold in.
    balances: Vec<Balance>,
}

/// Which entries are refused.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Frozen {
    debits: bool,
    credits: bool,
}

impl FromRow<'_, PgRow> for Account {
    fn from_row(row: &PgRow) -> Result<Account, sqlx::Error> {
        let json = |column| row.try_get(column).map(|Stored(value)| value);
        Ok(Account {
            account: row.try_get("account")?,
            kind: row.try_get("kind")?,
            overdraft: json("overdraft")?,
            limits: json("limits")?,
            assets: json("assets")?,
            on_first_use: row.try_get("on_first_use")?,
            frozen: Frozen { debits: row.try_get("frozen_debits")?, credits: row.try_get("frozen_credits")? },
            closed: row.try_get("closed")?,
            metadata: json("metadata")?,
            customers: row.try_get("customers")?,
            opened_at: row.try_get("opened_at")?,
            opened_position: row.try_get("opened_position")?,
            position: row.try_get("position")?,
            balances: Vec::new(),
        })
    }
}

list_parameters! {
    /// Which accounts.
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

/// The accounts of a ledger, by name in byte order.
#[utoipa::path(get, path = "/v1/ledgers/{ledger}/accounts", tag = "accounts", operation_id = "list_accounts",
    params(InLedger, Parameters, Freshness),
    responses((status = 200, description = "A page of accounts", body = Page<Account>,
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

/// One account.
#[utoipa::path(get, path = "/v1/ledgers/{ledger}/accounts/{account}", tag = "accounts", operation_id = "show_account",
    params(OfAccount, Freshness),
    responses((status = 200, description = "The account", body = Account,
        headers(("Recount-Position" = i64, description = "The position that the answer reflects"))), OfAccounts))]
pub(super) async fn show(
    State(reader): State<Reader>,
    Path(OfAccount { ledger, account }): Path<OfAccount>,
    Query(NoParameters {}): Query<NoParameters>,
    wish: Wish,
) -> Result<Response, Problem> {
    let mut snapshot = reader.ledger(&ledger, &wish).await?;
    let found = find(&mut snapshot, &account).await;
    Ok(snapshot.answer(found.map(Json)))
}

async fn select(
    snapshot: &mut Snapshot,
    Asked { parameters, list }: &Asked<Parameters>,
    after: Option<String>,
) -> Result<Listed<Account>, Problem> {
    let log = snapshot.log();
    let mut query = QueryBuilder::<Postgres>::new(SELECT);
    query.push_bind(log).push(" and account collate \"C\" > ").push_bind(after.unwrap_or_default());
    if let Some(prefix) = &parameters.prefix {
        // In byte order, the names with a prefix lie between it and it with the last character there is.
        query.push(" and account collate \"C\" >= ").push_bind(prefix);
        query.push(" and account collate \"C\" < ").push_bind(prefix).push(" || U&'\\+10FFFF'");
    }
    if let Some(kind) = parameters.kind {
        query.push(" and kind = ").push_bind(kind.as_str());
    }
    if let Some(customer) = &parameters.customer {
        query.push(" and account in (select account from read.customer_accounts where log = ").push_bind(log);
        query.push(" and customer = ").push_bind(customer).push(")");
    }
    query.push(" order by account collate \"C\" limit ").push_bind(list.fetch());
    let accounts =
        query.build_query_as().fetch_all(snapshot.connection()).await.map_err(|error| failed(&error))?;
    let mut listed = list.page(accounts, |account: &Account| account.account.clone());
    add_balances(snapshot, listed.items_mut()).await?;
    Ok(listed)
}

async fn find(snapshot: &mut Snapshot, name: &str) -> Result<Account, Problem> {
    let log = snapshot.log();
    let mut query = QueryBuilder::<Postgres>::new(SELECT);
    query.push_bind(log).push(" and account = ").push_bind(name);
    let account: Option<Account> =
        query.build_query_as().fetch_optional(snapshot.connection()).await.map_err(|error| failed(&error))?;
    let mut account = account.ok_or_else(|| not_found(name))?;
    add_balances(snapshot, std::slice::from_mut(&mut account)).await?;
    Ok(account)
}

/// There is no account with this name in the ledger.
pub(super) fn not_found(name: &str) -> Problem {
    Problem::new(&ACCOUNT_NOT_FOUND, format!("There is no account `{name}`.")).with("account", name)
}

async fn add_balances(snapshot: &mut Snapshot, accounts: &mut [Account]) -> Result<(), Problem> {
    let names: Vec<&str> = accounts.iter().map(|account| &*account.account).collect();
    let mut by_account = balances::of(snapshot, &names).await?;
    for account in accounts {
        account.balances = by_account.remove(&account.account).unwrap_or_default();
    }
    Ok(())
}
