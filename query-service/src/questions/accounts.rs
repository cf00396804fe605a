//! The accounts of a ledger, with their balances.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{FromRow, Postgres, QueryBuilder, Row};
use utoipa::ToSchema;

use super::account_balances::{self, Balance};
use super::policy::{BalanceLimit, OverdraftPolicy};
use super::{Entity, PageRequest, QuestionError, Rows};
use crate::read::Snapshot;

/// An account may be linked to any number of customers, so this list of them is limited; the list of customers has pages.
const SELECT: &str = "select account, kind, overdraft, limits, assets, on_first_use, frozen_debits, frozen_credits, \
     closed, metadata, opened_position, opened_at, position, \
     array(select links.customer from read.customer_accounts as links \
           where links.log = accounts.log and links.account = accounts.account \
           order by links.customer collate \"C\" limit 100) as customers \
     from read.accounts where log = ";

/// An account.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Account {
    #[schema(example = "Assets:US:BofA:Checking")]
    pub(crate) account: String,
    #[schema(value_type = Kind)]
    pub(crate) kind: String,
    #[schema(value_type = OverdraftPolicy)]
    pub(crate) overdraft: Box<RawValue>,
    /// The limits of its balances.
    #[schema(value_type = Vec<BalanceLimit>)]
    pub(crate) limits: Box<RawValue>,
    /// The assets that it may hold. If empty, it may hold any.
    #[schema(value_type = Vec<String>, example = json!(["USD/2"]))]
    pub(crate) assets: Box<RawValue>,
    /// Whether the first transaction or hold that named it opened it, by a rule of the chart.
    pub(crate) on_first_use: bool,
    pub(crate) frozen: Frozen,
    pub(crate) closed: bool,
    /// The current metadata. The metadata history lists all changes.
    #[schema(value_type = Object)]
    pub(crate) metadata: Box<RawValue>,
    /// The ids of the customers that it is linked to, at most 100. The list of customers with the filter `account` has
    /// all of them.
    #[schema(example = json!(["c-1"]))]
    pub(crate) customers: Vec<String>,
    pub(crate) opened_at: DateTime<Utc>,
    pub(crate) opened_position: i64,
    /// The position of the last event about the account.
    pub(crate) position: i64,
    /// One balance for each asset in which the account has had an entry or a hold.
    pub(crate) balances: Vec<Balance>,
}

/// The entries that the account refuses.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Frozen {
    pub(crate) debits: bool,
    pub(crate) credits: bool,
}

/// The kind of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Asset,
    Liability,
    Equity,
    Income,
    Expense,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Kind::Asset => "asset",
            Kind::Liability => "liability",
            Kind::Equity => "equity",
            Kind::Income => "income",
            Kind::Expense => "expense",
        }
    }
}

impl FromRow<'_, PgRow> for Account {
    fn from_row(row: &PgRow) -> Result<Account, sqlx::Error> {
        let json = |column| row.try_get(column).map(|Json(value)| value);
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

/// The accounts that meet all conditions.
#[derive(Clone, Debug, Default)]
pub(crate) struct AccountFilter {
    /// What the name starts with.
    pub(crate) prefix: Option<String>,
    pub(crate) kind: Option<Kind>,
    /// A customer that the account is linked to.
    pub(crate) customer: Option<String>,
}

/// The accounts of the ledger, by name in byte order.
pub(crate) async fn list(
    snapshot: &mut Snapshot,
    filter: &AccountFilter,
    page: &PageRequest<String>,
) -> Result<Rows<Account, String>, QuestionError> {
    let log = snapshot.log();
    let mut query = QueryBuilder::<Postgres>::new(SELECT);
    query.push_bind(log);
    query.push(" and account collate \"C\" > ").push_bind(page.after.as_deref().unwrap_or_default());
    if let Some(prefix) = &filter.prefix {
        // In byte order, the names with a prefix lie between the prefix and the prefix followed by the last character.
        query.push(" and account collate \"C\" >= ").push_bind(prefix);
        query.push(" and account collate \"C\" < ").push_bind(prefix).push(" || U&'\\+10FFFF'");
    }
    if let Some(kind) = filter.kind {
        query.push(" and kind = ").push_bind(kind.as_str());
    }
    if let Some(customer) = &filter.customer {
        query.push(" and account in (select account from read.customer_accounts where log = ").push_bind(log);
        query.push(" and customer = ").push_bind(customer).push(")");
    }
    query.push(" order by account collate \"C\" limit ").push_bind(page.fetch_limit());
    let accounts = query.build_query_as().fetch_all(snapshot.connection()).await?;
    let mut rows = page.rows(accounts, |account: &Account| account.account.clone());
    add_balances(snapshot, &mut rows.rows).await?;
    Ok(rows)
}

/// One account.
pub(crate) async fn find(snapshot: &mut Snapshot, name: &str) -> Result<Account, QuestionError> {
    let log = snapshot.log();
    let mut query = QueryBuilder::<Postgres>::new(SELECT);
    query.push_bind(log).push(" and account = ").push_bind(name);
    let account: Option<Account> = query.build_query_as().fetch_optional(snapshot.connection()).await?;
    let mut account = account.ok_or_else(|| QuestionError::not_found(Entity::Account, name))?;
    add_balances(snapshot, std::slice::from_mut(&mut account)).await?;
    Ok(account)
}

async fn add_balances(snapshot: &mut Snapshot, accounts: &mut [Account]) -> Result<(), QuestionError> {
    let names: Vec<&str> = accounts.iter().map(|account| &*account.account).collect();
    let mut by_account = account_balances::of(snapshot, &names).await?;
    for account in accounts {
        account.balances = by_account.remove(&account.account).unwrap_or_default();
    }
    Ok(())
}
