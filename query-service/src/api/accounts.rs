//! The accounts of a ledger, with their posted balances.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use http::Uri;
use recount_service_kit::http::{Path, Query};
use recount_service_kit::problem::{Problem, kinds};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::postgres::PgRow;
use sqlx::types::Json as Stored;
use sqlx::{FromRow, Row};
use utoipa::{IntoParams, ToSchema};

use super::amount::{formatted, on_normal_side};
use super::list::{List, Listed, Page};
use super::parameters::Kind;
use super::problems::{OfAccounts, OfLedgerLists};
use crate::read::{Reader, Snapshot, Wish, failed};

/// An account.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Account {
    #[schema(example = "Assets:US:BofA:Checking")]
    account: String,
    #[schema(value_type = Kind)]
    kind: String,
    #[schema(value_type = OverdraftPolicy)]
    overdraft: Box<RawValue>,
    frozen: Frozen,
    closed: bool,
    /// As it was given when the account was opened.
    #[schema(value_type = Object)]
    metadata: Box<RawValue>,
    opened_at: DateTime<Utc>,
    opened_position: i64,
    /// The position of the last event that concerned the account.
    position: i64,
    /// One for each asset that the account has had an entry in.
    balances: Vec<Balance>,
}

/// Which entries are refused.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Frozen {
    debits: bool,
    credits: bool,
}

/// How far below zero an account may go, in the form in which commands set it.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used; a policy is passed on as it was stored")]
enum OverdraftPolicy {
    None,
    Limited(Vec<OverdraftLimit>),
    Unlimited,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used; a policy is passed on as it was stored")]
struct OverdraftLimit {
    #[schema(example = "USD/2")]
    asset: String,
    #[schema(example = "100000")]
    amount: String,
}

/// The posted balance of an account in one asset.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Balance {
    #[schema(example = "USD/2")]
    asset: String,
    /// The sum of all debits, in minor units.
    #[schema(example = "1250000")]
    debits: String,
    /// The sum of all credits, in minor units.
    #[schema(example = "1190395")]
    credits: String,
    /// Debits less credits for assets and expenses, credits less debits for all others, in minor units.
    #[schema(example = "59605")]
    balance: String,
    /// The balance as a decimal.
    #[schema(example = "596.05 USD")]
    formatted: String,
}

impl FromRow<'_, PgRow> for Account {
    fn from_row(row: &PgRow) -> Result<Account, sqlx::Error> {
        let Stored(overdraft) = row.try_get("overdraft")?;
        let Stored(metadata) = row.try_get("metadata")?;
        Ok(Account {
            account: row.try_get("account")?,
            kind: row.try_get("kind")?,
            overdraft,
            frozen: Frozen { debits: row.try_get("frozen_debits")?, credits: row.try_get("frozen_credits")? },
            closed: row.try_get("closed")?,
            metadata,
            opened_at: row.try_get("opened_at")?,
            opened_position: row.try_get("opened_position")?,
            position: row.try_get("position")?,
            balances: Vec::new(),
        })
    }
}

/// Which accounts.
#[derive(Debug, Deserialize, Serialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    /// Only accounts whose names start with this text.
    #[param(example = "Assets:")]
    prefix: Option<String>,
    /// Only accounts of this kind.
    #[param(inline)]
    kind: Option<Kind>,
    /// How many at most, from 1 to 500; 50 unless told.
    #[serde(skip_serializing)]
    limit: Option<u32>,
    /// Where to go on: `next` of the page before.
    #[serde(skip_serializing)]
    cursor: Option<String>,
}

/// The accounts of a ledger, by name in byte order.
#[utoipa::path(get, path = "/v1/ledgers/{ledger}/accounts", tag = "accounts", operation_id = "list_accounts",
    params(("ledger" = String, Path, description = "The ledger's name"), Parameters,
        ("Recount-At-Least" = Option<i64>, Header, description = "The position to wait for"),
        ("Prefer" = Option<String>, Header, description = "`wait=SECONDS`: how long to wait for it")),
    responses((status = 200, description = "A page of accounts", body = Page<Account>,
        headers(("Recount-Position" = i64, description = "The position that the answer reflects"),
            ("Link" = Option<String>, description = "The page that follows, as `rel=\"next\"`"))), OfLedgerLists))]
pub(super) async fn list(
    State(reader): State<Reader>,
    Path(ledger): Path<String>,
    Query(parameters): Query<Parameters>,
    wish: Wish,
    uri: Uri,
) -> Result<Response, Problem> {
    let list = List::new(uri, parameters.limit, &parameters)?;
    let after = list.after(parameters.cursor.as_deref())?;
    let mut snapshot = reader.ledger(&ledger, &wish).await?;
    let listed = select(&mut snapshot, &list, &parameters, after).await;
    Ok(snapshot.answer(listed))
}

/// One account.
#[utoipa::path(get, path = "/v1/ledgers/{ledger}/accounts/{account}", tag = "accounts", operation_id = "show_account",
    params(("ledger" = String, Path, description = "The ledger's name"),
        ("account" = String, Path, description = "The account's name"),
        ("Recount-At-Least" = Option<i64>, Header, description = "The position to wait for"),
        ("Prefer" = Option<String>, Header, description = "`wait=SECONDS`: how long to wait for it")),
    responses((status = 200, description = "The account", body = Account,
        headers(("Recount-Position" = i64, description = "The position that the answer reflects"))), OfAccounts))]
pub(super) async fn show(
    State(reader): State<Reader>,
    Path((ledger, account)): Path<(String, String)>,
    wish: Wish,
) -> Result<Response, Problem> {
    let mut snapshot = reader.ledger(&ledger, &wish).await?;
    let found = find(&mut snapshot, &account).await;
    Ok(snapshot.answer(found.map(Json)))
}

async fn select(
    snapshot: &mut Snapshot,
    list: &List,
    parameters: &Parameters,
    after: Option<String>,
) -> Result<Listed<Account>, Problem> {
    let log = snapshot.log();
    let prefix = parameters.prefix.as_deref().unwrap_or_default();
    // In byte order, the names with a prefix lie between it and it with the last character there is.
    let accounts = sqlx::query_as(
        "select account, kind, overdraft, frozen_debits, frozen_credits, closed, metadata, opened_position, \
                opened_at, position \
         from read.accounts \
         where log = $1 and account collate \"C\" > $2 and account collate \"C\" >= $3 \
           and account collate \"C\" < $3 || U&'\\+10FFFF' and ($4::text is null or kind = $4) \
         order by account collate \"C\" limit $5",
    )
    .bind(log)
    .bind(after.unwrap_or_default())
    .bind(prefix)
    .bind(parameters.kind.map(Kind::as_str))
    .bind(list.fetch())
    .fetch_all(snapshot.connection())
    .await
    .map_err(|error| failed(&error))?;
    let mut listed = list.page(accounts, |account: &Account| account.account.clone());
    add_balances(snapshot, listed.items_mut()).await?;
    Ok(listed)
}

async fn find(snapshot: &mut Snapshot, name: &str) -> Result<Account, Problem> {
    let log = snapshot.log();
    let account = sqlx::query_as(
        "select account, kind, overdraft, frozen_debits, frozen_credits, closed, metadata, opened_position, \
                opened_at, position \
         from read.accounts where log = $1 and account = $2",
    )
    .bind(log)
    .bind(name)
    .fetch_optional(snapshot.connection())
    .await
    .map_err(|error| failed(&error))?;
    let mut account = account.ok_or_else(|| not_found(name))?;
    add_balances(snapshot, std::slice::from_mut(&mut account)).await?;
    Ok(account)
}

/// There is no account with this name in the ledger.
pub(super) fn not_found(name: &str) -> Problem {
    Problem::new(&kinds::ACCOUNT_NOT_FOUND, format!("There is no account `{name}`.")).with("account", name)
}

async fn add_balances(snapshot: &mut Snapshot, accounts: &mut [Account]) -> Result<(), Problem> {
    let log = snapshot.log();
    let names: Vec<&str> = accounts.iter().map(|account| &*account.account).collect();
    let rows: Vec<(String, String, String, String, String)> = sqlx::query_as(
        "select account, asset, debits::text, credits::text, (debits - credits)::text \
         from read.balances where log = $1 and account = any($2) order by account, asset collate \"C\"",
    )
    .bind(log)
    .bind(&names)
    .fetch_all(snapshot.connection())
    .await
    .map_err(|error| failed(&error))?;
    let mut by_name: HashMap<String, Vec<_>> = HashMap::new();
    for (account, asset, debits, credits, net) in rows {
        by_name.entry(account).or_default().push((asset, debits, credits, net));
    }
    for account in accounts {
        let rows = by_name.remove(&account.account).unwrap_or_default();
        let balances = rows.into_iter().map(|(asset, debits, credits, net)| {
            let balance = on_normal_side(&account.kind, &net);
            Balance { formatted: formatted(&balance, &asset), asset, debits, credits, balance }
        });
        account.balances = balances.collect();
    }
    Ok(())
}
