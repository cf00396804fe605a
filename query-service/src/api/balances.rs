//! The balances of accounts, each in one asset.

use std::collections::HashMap;

use recount_service_kit::problem::Problem;
use serde::Serialize;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row};
use utoipa::ToSchema;

use super::amount::formatted;
use crate::read::{Snapshot, failed};

/// The balance of an account in one asset, in minor units. An account's normal side is debit for assets and expenses, and
/// credit for all others.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Balance {
    #[schema(example = "USD/2")]
    asset: String,
    /// The sum of all debits.
    #[schema(example = "1250000")]
    debits: String,
    /// The sum of all credits.
    #[schema(example = "1190395")]
    credits: String,
    /// What the entries on the normal side are more than those on the other.
    #[schema(example = "59605")]
    posted: String,
    /// What open holds would take away.
    #[schema(example = "10000")]
    held: String,
    /// What open holds would bring in.
    #[schema(example = "500")]
    incoming: String,
    /// Posted less held. What is incoming does not count.
    #[schema(example = "49605")]
    available: String,
    /// What is posted, as a decimal.
    #[schema(example = "596.05 USD")]
    formatted: String,
}

impl FromRow<'_, PgRow> for Balance {
    fn from_row(row: &PgRow) -> Result<Balance, sqlx::Error> {
        let asset: String = row.try_get("asset")?;
        let posted: String = row.try_get("posted")?;
        Ok(Balance {
            formatted: formatted(&posted, &asset),
            asset,
            debits: row.try_get("debits")?,
            credits: row.try_get("credits")?,
            posted,
            held: row.try_get("held")?,
            incoming: row.try_get("incoming")?,
            available: row.try_get("available")?,
        })
    }
}

/// The balances of these accounts, by account, each in the order of assets.
pub(super) async fn of(
    snapshot: &mut Snapshot,
    accounts: &[&str],
) -> Result<HashMap<String, Vec<Balance>>, Problem> {
    let log = snapshot.log();
    let rows = sqlx::query(
        "select account, asset, debits::text, credits::text, posted::text, held::text, incoming::text, \
                available::text \
         from read.balances where log = $1 and account = any($2) order by account, asset collate \"C\"",
    )
    .bind(log)
    .bind(accounts)
    .fetch_all(snapshot.connection())
    .await
    .map_err(|error| failed(&error))?;
    let mut by_account: HashMap<String, Vec<Balance>> = HashMap::new();
    for row in rows {
        let read = row.try_get("account").and_then(|account| Ok((account, Balance::from_row(&row)?)));
        let (account, balance) = read.map_err(|error| failed(&error))?;
        by_account.entry(account).or_default().push(balance);
    }
    Ok(by_account)
}
