//! The ledgers of the deployment.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use http::HeaderMap;
use recount_service_kit::http::{NoParameters, Path, Query};
use recount_service_kit::problem::{Problem, kinds};
use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::postgres::PgRow;
use sqlx::types::Json as Stored;
use sqlx::{FromRow, Postgres, QueryBuilder, Row};
use utoipa::ToSchema;

use super::list::{Asked, Listed, Page, list_parameters};
use super::parameters::{Freshness, InLedger};
use super::policy::ChartRule;
use super::problems::{OfLedgers, OfLists};
use crate::read::{AT_LEAST, Reader, Wish, failed};

const COLUMNS: &str = "ledgers.ledger, ledgers.created_at, progress.position, progress.stopped_at, \
     ledgers.window_past_days, ledgers.window_future_days, ledgers.closed_through";
/// The progress comes first: its view is what keeps a swap of the read models off until the answer is read.
const FROM: &str = " from read.progress join read.ledgers on ledgers.log = progress.log where ";

/// A ledger as it is listed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LedgerSummary {
    #[schema(example = "household")]
    ledger: String,
    created_at: DateTime<Utc>,
    /// How far the read model of this ledger is.
    #[schema(example = 885)]
    position: i64,
    /// Where the read model met an event that it could not apply; null as long as all is well.
    stopped_at: Option<i64>,
    effective_window: EffectiveWindow,
    /// Nothing takes effect at this time or before it; null as long as no period was closed.
    closed_through: Option<DateTime<Utc>>,
}

/// A ledger with its chart, which may be long.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Ledger {
    #[serde(flatten)]
    summary: LedgerSummary,
    /// Which names accounts may have, and what they are then; null if they may have any.
    #[schema(value_type = Option<Vec<ChartRule>>)]
    chart: Option<Box<RawValue>>,
}

/// How many days an effective time may be from the time of recording; null is without limit.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EffectiveWindow {
    #[schema(example = 30)]
    past_days: Option<i64>,
    #[schema(example = 0)]
    future_days: Option<i64>,
}

impl FromRow<'_, PgRow> for LedgerSummary {
    fn from_row(row: &PgRow) -> Result<LedgerSummary, sqlx::Error> {
        Ok(LedgerSummary {
            ledger: row.try_get("ledger")?,
            created_at: row.try_get("created_at")?,
            position: row.try_get("position")?,
            stopped_at: row.try_get("stopped_at")?,
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
        let chart: Option<Stored<Box<RawValue>>> = row.try_get("chart")?;
        Ok(Ledger { summary: LedgerSummary::from_row(row)?, chart: chart.map(|Stored(chart)| chart) })
    }
}

list_parameters! {
    /// Which ledgers.
    Parameters {}
}

/// The ledgers, by name. The chart of each is at its own address.
#[utoipa::path(get, path = "/v1/ledgers", tag = "ledgers", operation_id = "list_ledgers", params(Parameters),
    responses((status = 200, description = "A page of ledgers", body = Page<LedgerSummary>,
        headers(("Link" = Option<String>, description = "The page that follows, as `rel=\"next\"`"))), OfLists))]
pub(super) async fn list(
    State(reader): State<Reader>,
    asked: Asked<Parameters>,
    headers: HeaderMap,
) -> Result<Listed<LedgerSummary>, Problem> {
    if headers.contains_key(&AT_LEAST) {
        return Err(Problem::new(
            &kinds::INVALID_REQUEST,
            "Recount-At-Least is a position of one ledger; the list of ledgers has no position of its own.",
        )
        .with("header", AT_LEAST.as_str()));
    }
    let after: Option<String> = asked.after()?;
    let mut transaction = reader.everything().await?;
    let mut query = QueryBuilder::<Postgres>::new("select ");
    query
        .push(COLUMNS)
        .push(FROM)
        .push("ledgers.ledger collate \"C\" > ")
        .push_bind(after.unwrap_or_default());
    query.push(" order by ledgers.ledger collate \"C\" limit ").push_bind(asked.list.fetch());
    let ledgers =
        query.build_query_as().fetch_all(&mut *transaction).await.map_err(|error| failed(&error))?;
    Ok(asked.list.page(ledgers, |ledger: &LedgerSummary| ledger.ledger.clone()))
}

/// One ledger.
#[utoipa::path(get, path = "/v1/ledgers/{ledger}", tag = "ledgers", operation_id = "show_ledger",
    params(InLedger, Freshness),
    responses((status = 200, description = "The ledger", body = Ledger,
        headers(("Recount-Position" = i64, description = "The position that the answer reflects"))), OfLedgers))]
pub(super) async fn show(
    State(reader): State<Reader>,
    Path(InLedger { ledger }): Path<InLedger>,
    Query(NoParameters {}): Query<NoParameters>,
    wish: Wish,
) -> Result<Response, Problem> {
    let mut snapshot = reader.ledger(&ledger, &wish).await?;
    let log = snapshot.log();
    let mut query = QueryBuilder::<Postgres>::new("select ");
    query.push(COLUMNS).push(", ledgers.chart").push(FROM).push("ledgers.log = ").push_bind(log);
    let found: Result<Ledger, _> = query.build_query_as().fetch_one(snapshot.connection()).await;
    Ok(snapshot.answer(found.map(Json).map_err(|error| failed(&error))))
}
