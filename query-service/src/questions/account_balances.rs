//! The balances of accounts, one for each asset.

use std::collections::HashMap;

use serde::Serialize;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row};
use utoipa::ToSchema;

use super::QuestionError;
use super::amount::formatted;
use crate::read::Snapshot;

/// The balance of an account in one asset, in minor units. The normal side of an account is debit for assets and expenses,
/// and credit for all other kinds.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Balance {
    #[schema(example = "USD/2")]
    pub(crate) asset: String,
    /// The sum of all debits.
    #[schema(example = "1250000")]
    pub(crate) debits: String,
    /// The sum of all credits.
    #[schema(example = "1190395")]
    pub(crate) credits: String,
    /// The entries on the normal side less those on the other side.
    #[schema(example = "59605")]
    pub(crate) posted: String,
    /// The amount by which open holds will reduce the balance if they are captured.
    #[schema(example = "10000")]
    pub(crate) held: String,
    /// The amount by which open holds will increase the balance if they are captured.
    #[schema(example = "500")]
    pub(crate) incoming: String,
    /// Posted less held. Incoming amounts do not count.
    #[schema(example = "49605")]
    pub(crate) available: String,
    /// The posted balance as a decimal.
    #[schema(example = "596.05 USD")]
    pub(crate) formatted: String,
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

/// The balances of these accounts, by account, each in the byte order of assets.
pub(crate) async fn of(
    snapshot: &mut Snapshot,
    accounts: &[&str],
) -> Result<HashMap<String, Vec<Balance>>, QuestionError> {
    let log = snapshot.log();
    let rows = sqlx::query(
        "select account, asset, debits::text, credits::text, posted::text, held::text, incoming::text, \
                available::text \
         from read.balances where log = $1 and account = any($2) order by account, asset collate \"C\"",
    )
    .bind(log)
    .bind(accounts)
    .fetch_all(snapshot.connection())
    .await?;
    let mut by_account: HashMap<String, Vec<Balance>> = HashMap::new();
    for row in rows {
        by_account.entry(row.try_get("account")?).or_default().push(Balance::from_row(&row)?);
    }
    Ok(by_account)
}
