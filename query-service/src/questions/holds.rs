//! The holds of a ledger: amounts that are set aside, and their captures and releases.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{FromRow, Postgres, QueryBuilder, Row};
use utoipa::ToSchema;

use super::{Entity, PageRequest, QuestionError, Rows};
use crate::read::Snapshot;

/// A hold may be captured any number of times, so this list of captures is limited; the list of transactions has pages.
const SELECT: &str = "select hold, status, debit, credit, asset, amount::text, captured::text, released::text, \
     remaining::text, expires_at, metadata, placed_at, placed_position, changed_at, position, \
     array(select captures.transaction from read.transactions as captures \
           where captures.log = holds.log and captures.captures = holds.hold \
           order by captures.position limit 100) as captured_by \
     from read.holds where log = ";

/// A hold. Amounts are in minor units; `amount` is the sum of `captured`, `released` and `remaining`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Hold {
    #[schema(example = "auth-1")]
    pub(crate) hold: String,
    #[schema(value_type = HoldStatus)]
    pub(crate) status: String,
    /// The account that a capture debits.
    #[schema(example = "users:alice:main")]
    pub(crate) debit: String,
    /// The account that a capture credits.
    #[schema(example = "shop:sales")]
    pub(crate) credit: String,
    #[schema(example = "USD/2")]
    pub(crate) asset: String,
    /// The amount that was set aside when the hold was placed.
    #[schema(example = "10000")]
    pub(crate) amount: String,
    #[schema(example = "2500")]
    pub(crate) captured: String,
    /// The amount that was given back: by a release, at the deadline, or by the final capture.
    #[schema(example = "0")]
    pub(crate) released: String,
    /// The amount that is still set aside.
    #[schema(example = "7500")]
    pub(crate) remaining: String,
    /// The deadline. From this time on, the hold cannot be captured.
    pub(crate) expires_at: Option<DateTime<Utc>>,
    #[schema(value_type = Object)]
    pub(crate) metadata: Box<RawValue>,
    /// The transactions that captured the hold, in order, at most 100. The list of transactions with the filter
    /// `captures` has all of them.
    #[schema(example = json!(["capture-1"]))]
    pub(crate) captured_by: Vec<String>,
    pub(crate) placed_at: DateTime<Utc>,
    pub(crate) placed_position: i64,
    /// The time at which the last event about the hold was recorded.
    pub(crate) changed_at: DateTime<Utc>,
    /// The position of the last event about the hold.
    pub(crate) position: i64,
}

/// The state of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum HoldStatus {
    /// Some of the amount is still set aside.
    Open,
    /// Captures used it up; the final one may have released the rest.
    Captured,
    /// The remaining amount was released.
    Released,
    /// The remaining amount was released because the deadline passed.
    Expired,
}

impl HoldStatus {
    const ALL: [HoldStatus; 4] =
        [HoldStatus::Open, HoldStatus::Captured, HoldStatus::Released, HoldStatus::Expired];

    fn as_str(self) -> &'static str {
        match self {
            HoldStatus::Open => "open",
            HoldStatus::Captured => "captured",
            HoldStatus::Released => "released",
            HoldStatus::Expired => "expired",
        }
    }
}

impl FromRow<'_, PgRow> for Hold {
    fn from_row(row: &PgRow) -> Result<Hold, sqlx::Error> {
        let Json(metadata) = row.try_get("metadata")?;
        Ok(Hold {
            hold: row.try_get("hold")?,
            status: row.try_get("status")?,
            debit: row.try_get("debit")?,
            credit: row.try_get("credit")?,
            asset: row.try_get("asset")?,
            amount: row.try_get("amount")?,
            captured: row.try_get("captured")?,
            released: row.try_get("released")?,
            remaining: row.try_get("remaining")?,
            expires_at: row.try_get("expires_at")?,
            metadata,
            captured_by: row.try_get("captured_by")?,
            placed_at: row.try_get("placed_at")?,
            placed_position: row.try_get("placed_position")?,
            changed_at: row.try_get("changed_at")?,
            position: row.try_get("position")?,
        })
    }
}

/// The holds that meet all conditions.
#[derive(Clone, Debug, Default)]
pub(crate) struct HoldFilter {
    pub(crate) status: Option<HoldStatus>,
    /// An account that a capture debits or credits.
    pub(crate) account: Option<String>,
    /// The deadline is before this moment.
    pub(crate) expires_before: Option<DateTime<Utc>>,
}

/// The holds of the ledger, in the order in which they were placed. The key is the position at which a hold was placed.
pub(crate) async fn list(
    snapshot: &mut Snapshot,
    filter: &HoldFilter,
    page: &PageRequest<i64>,
) -> Result<Rows<Hold, i64>, QuestionError> {
    let log = snapshot.log();
    let mut query = QueryBuilder::<Postgres>::new(SELECT);
    query.push_bind(log).push(" and hold in (");
    match &filter.account {
        None => push_candidates(&mut query, log, filter, page, None),
        Some(account) => {
            push_candidates(&mut query, log, filter, page, Some((" and debit = ", account)));
            query.push(" union all ");
            push_candidates(&mut query, log, filter, page, Some((" and credit = ", account)));
        }
    }
    query.push(") order by placed_position limit ").push_bind(page.fetch_limit());
    let holds = query.build_query_as().fetch_all(snapshot.connection()).await?;
    Ok(page.rows(holds, |hold: &Hold| hold.placed_position))
}

/// Selects the first holds of each status, on one side of an account or on any; the page is among them. An index finds
/// each group in order, however many other holds there are.
fn push_candidates(
    query: &mut QueryBuilder<Postgres>,
    log: i64,
    filter: &HoldFilter,
    page: &PageRequest<i64>,
    side: Option<(&'static str, &str)>,
) {
    let statuses = filter.status.as_ref().map_or(&HoldStatus::ALL[..], std::slice::from_ref);
    let statuses: Vec<&str> = statuses.iter().map(|status| status.as_str()).collect();
    query.push("select candidates.hold from unnest(").push_bind(statuses);
    query.push("::text[]) as wanted(status) cross join lateral (select hold from read.holds where log = ");
    query.push_bind(log).push(" and status = wanted.status");
    if let Some((side, account)) = side {
        query.push(side).push_bind(account);
    }
    if let Some(moment) = filter.expires_before {
        query.push(" and expires_at < ").push_bind(moment);
    }
    if let Some(position) = page.after {
        query.push(" and placed_position > ").push_bind(position);
    }
    query.push(" order by placed_position limit ").push_bind(page.fetch_limit()).push(") as candidates");
}

/// One hold.
pub(crate) async fn find(snapshot: &mut Snapshot, id: &str) -> Result<Hold, QuestionError> {
    let log = snapshot.log();
    let mut query = QueryBuilder::<Postgres>::new(SELECT);
    query.push_bind(log).push(" and hold = ").push_bind(id);
    let hold = query.build_query_as().fetch_optional(snapshot.connection()).await?;
    hold.ok_or_else(|| QuestionError::not_found(Entity::Hold, id))
}
