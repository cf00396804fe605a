//! The ledgers of the deployment.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{FromRow, Postgres, QueryBuilder, Row};
use utoipa::ToSchema;

use super::policy::ChartRule;
use super::{PageRequest, QuestionError, Rows};
use crate::read::{Moment, Snapshot};

const COLUMNS: &str = "ledgers.ledger, ledgers.created_at, progress.position, progress.stopped_at, \
     progress.diverged, ledgers.window_past_days, ledgers.window_future_days, ledgers.closed_through";
/// The progress comes first: the lock on its view delays a swap of the read models until the answer has been read.
const FROM: &str = " from read.progress join read.ledgers on ledgers.log = progress.log where ";

/// A ledger without its chart.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LedgerSummary {
    #[schema(example = "household")]
    pub(crate) ledger: String,
    pub(crate) created_at: DateTime<Utc>,
    /// The position that the ledger's read model has reached.
    #[schema(example = 885)]
    pub(crate) position: i64,
    /// The position at which the read model stopped, because it could not apply the event or because it has diverged;
    /// null if it goes on.
    pub(crate) stopped_at: Option<i64>,
    /// Whether the log went back or was rewritten under the read model. Until it is remade, queries of the ledger fail.
    pub(crate) diverged: bool,
    pub(crate) effective_window: EffectiveWindow,
    /// No transaction may take effect at this time or earlier; null if no period has been closed.
    pub(crate) closed_through: Option<DateTime<Utc>>,
}

/// A ledger with its chart, which may be long.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Ledger {
    #[serde(flatten)]
    pub(crate) summary: LedgerSummary,
    /// The account names that are allowed, with the settings of such accounts; null if any name is allowed.
    #[schema(value_type = Option<Vec<ChartRule>>)]
    pub(crate) chart: Option<Box<RawValue>>,
}

/// How many days an effective time may be before or after the time of recording; null means any number.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EffectiveWindow {
    #[schema(example = 30)]
    pub(crate) past_days: Option<i64>,
    #[schema(example = 0)]
    pub(crate) future_days: Option<i64>,
}

impl FromRow<'_, PgRow> for LedgerSummary {
    fn from_row(row: &PgRow) -> Result<LedgerSummary, sqlx::Error> {
        Ok(LedgerSummary {
            ledger: row.try_get("ledger")?,
            created_at: row.try_get("created_at")?,
            position: row.try_get("position")?,
            stopped_at: row.try_get("stopped_at")?,
            diverged: row.try_get("diverged")?,
            effective_window: EffectiveWindow {
                past_days: row.try_get("window_past_days")?,
                future_days: row.try_get("window_future_days")?,
            },
            closed_through: row.try_get("closed_through")?,
        })
    }
}

impl FromRow<'_, PgRow> for Ledger {
    fn from_row(row: &PgRow) -> Result<Ledger, sqlx::Error> {
        let chart: Option<Json<Box<RawValue>>> = row.try_get("chart")?;
        Ok(Ledger { summary: LedgerSummary::from_row(row)?, chart: chart.map(|Json(chart)| chart) })
    }
}

/// All ledgers, by name in byte order.
pub(crate) async fn list(
    moment: &mut Moment,
    page: &PageRequest<String>,
) -> Result<Rows<LedgerSummary, String>, QuestionError> {
    let mut query = QueryBuilder::<Postgres>::new("select ");
    query.push(COLUMNS).push(FROM);
    query.push("ledgers.ledger collate \"C\" > ").push_bind(page.after.as_deref().unwrap_or_default());
    query.push(" order by ledgers.ledger collate \"C\" limit ").push_bind(page.fetch_limit());
    let ledgers = query.build_query_as().fetch_all(moment.connection()).await?;
    Ok(page.rows(ledgers, |ledger: &LedgerSummary| ledger.ledger.clone()))
}

/// The ledger of the snapshot.
pub(crate) async fn find(snapshot: &mut Snapshot) -> Result<Ledger, QuestionError> {
    let log = snapshot.log();
    let mut query = QueryBuilder::<Postgres>::new("select ");
    query.push(COLUMNS).push(", ledgers.chart").push(FROM).push("ledgers.log = ").push_bind(log);
    Ok(query.build_query_as().fetch_one(snapshot.connection()).await?)
}
