//! The ledgers of the deployment.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use http::{HeaderMap, Uri};
use recount_service_kit::http::{Path, Query};
use recount_service_kit::problem::{Problem, kinds};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row};
use utoipa::{IntoParams, ToSchema};

use super::list::{List, Listed, Page};
use super::problems::{OfLedgers, OfLists};
use crate::read::{AT_LEAST, Reader, Wish, failed};

/// A ledger.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Ledger {
    #[schema(example = "household")]
    ledger: String,
    created_at: DateTime<Utc>,
    /// How far the read model of this ledger is.
    #[schema(example = 885)]
    position: i64,
    /// Where the read model met an event that it could not apply; null as long as all is well.
    stopped_at: Option<i64>,
}

impl FromRow<'_, PgRow> for Ledger {
    fn from_row(row: &PgRow) -> Result<Ledger, sqlx::Error> {
        Ok(Ledger {
            ledger: row.try_get("ledger")?,
            created_at: row.try_get("created_at")?,
            position: row.try_get("position")?,
            stopped_at: row.try_get("stopped_at")?,
        })
    }
}

/// Which ledgers.
#[derive(Debug, Deserialize, Serialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    /// How many at most, from 1 to 500; 50 unless told.
    #[serde(skip_serializing)]
    limit: Option<u32>,
    /// Where to go on: `next` of the page before.
    #[serde(skip_serializing)]
    cursor: Option<String>,
}

/// The ledgers, by name.
#[utoipa::path(get, path = "/v1/ledgers", tag = "ledgers", operation_id = "list_ledgers", params(Parameters),
    responses((status = 200, description = "A page of ledgers", body = Page<Ledger>,
        headers(("Link" = Option<String>, description = "The page that follows, as `rel=\"next\"`"))), OfLists))]
pub(super) async fn list(
    State(reader): State<Reader>,
    Query(parameters): Query<Parameters>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Listed<Ledger>, Problem> {
    if headers.contains_key(&AT_LEAST) {
        return Err(Problem::new(
            &kinds::INVALID_REQUEST,
            "Recount-At-Least is a position of one ledger; the list of ledgers has no position of its own.",
        )
        .with("header", AT_LEAST.as_str()));
    }
    let list = List::new(uri, parameters.limit, &parameters)?;
    let after: Option<String> = list.after(parameters.cursor.as_deref())?;
    let mut transaction = reader.everything().await?;
    let ledgers = sqlx::query_as(
        "select ledgers.ledger, ledgers.created_at, progress.position, progress.stopped_at \
         from read.ledgers join read.progress on progress.log = ledgers.log \
         where ledgers.ledger collate \"C\" > $1 order by ledgers.ledger collate \"C\" limit $2",
    )
    .bind(after.unwrap_or_default())
    .bind(list.fetch())
    .fetch_all(&mut *transaction)
    .await
    .map_err(|error| failed(&error))?;
    Ok(list.page(ledgers, |ledger: &Ledger| ledger.ledger.clone()))
}

/// One ledger.
#[utoipa::path(get, path = "/v1/ledgers/{ledger}", tag = "ledgers", operation_id = "show_ledger",
    params(("ledger" = String, Path, description = "The ledger's name"),
        ("Recount-At-Least" = Option<i64>, Header, description = "The position to wait for"),
        ("Prefer" = Option<String>, Header, description = "`wait=SECONDS`: how long to wait for it")),
    responses((status = 200, description = "The ledger", body = Ledger,
        headers(("Recount-Position" = i64, description = "The position that the answer reflects"))), OfLedgers))]
pub(super) async fn show(
    State(reader): State<Reader>,
    Path(ledger): Path<String>,
    wish: Wish,
) -> Result<Response, Problem> {
    let mut snapshot = reader.ledger(&ledger, &wish).await?;
    let log = snapshot.log();
    let found: Result<Ledger, _> = sqlx::query_as(
        "select ledgers.ledger, ledgers.created_at, progress.position, progress.stopped_at \
         from read.ledgers join read.progress on progress.log = ledgers.log where ledgers.log = $1",
    )
    .bind(log)
    .fetch_one(snapshot.connection())
    .await;
    Ok(snapshot.answer(found.map(Json).map_err(|error| failed(&error))))
}
