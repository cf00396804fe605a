//! The trial balance of a ledger.
//!
//! It lists every account, so it is written while it is read and never held in memory as a whole.

mod csv;
mod json;
mod stream;

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use http::header::ACCEPT;
use recount_service_kit::http::{Path, Query};
use recount_service_kit::problem::Problem;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::read::{Freshness, Reader};
use crate::rest::answer::SnapshotHeaders;
use crate::rest::parameters::{LedgerPath, Moment};
use crate::rest::problems::LedgerProblems;
use json::TrialBalance;

/// The format of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    Json,
    Csv,
}

/// The entries that count, and the format of the answer.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::rest) struct Parameters {
    /// Count only entries that take effect before this moment: an RFC 3339 time, or a date, which means midnight UTC and
    /// excludes the day itself. For the books closed through 2026-01-31, use `effective_before=2026-02-01`.
    #[param(value_type = Option<String>, example = "2026-02-01")]
    effective_before: Option<Moment>,
    /// `json` or `csv`; by default, the Accept header decides.
    #[param(inline)]
    format: Option<Format>,
}

/// The trial balance of a ledger.
///
/// The CSV format has the columns account and balance. A balance lists the amount in every asset in which it is not zero,
/// with debits positive; if there is none, it is `0`.
#[utoipa::path(get, path = "/v1/ledgers/{ledger}/trial-balance", tag = "ledgers", operation_id = "show_trial_balance",
    params(LedgerPath, Parameters, Freshness),
    responses((status = 200, description = "The trial balance",
        content((TrialBalance = "application/json"), (String = "text/csv")),
        headers(("Recount-Position" = i64, description = "The position that the answer reflects"))), LedgerProblems))]
pub(in crate::rest) async fn show(
    State(reader): State<Reader>,
    Path(LedgerPath { ledger }): Path<LedgerPath>,
    Query(parameters): Query<Parameters>,
    freshness: Freshness,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let before = parameters.effective_before.map(|Moment(moment)| moment);
    let format = parameters.format.unwrap_or_else(|| accepted_format(&headers));
    // Waiting for the position takes no turn, and waiting for a turn takes no connection.
    drop(reader.ledger(&ledger, freshness).await?);
    let turn = reader.long_read().await?;
    let mut snapshot = reader.ledger(&ledger, freshness).await?;
    snapshot.allow(stream::BODY_TIMEOUT).await?;
    let snapshot_headers = SnapshotHeaders::of(&snapshot);
    let answer = match format {
        Format::Json => {
            stream::answer("application/json", turn, |sink| json::write(snapshot, ledger, before, sink)).await
        }
        Format::Csv => {
            stream::answer("text/csv; charset=utf-8", turn, |sink| csv::write(snapshot, before, sink)).await
        }
    };
    Ok(snapshot_headers.add_to(answer))
}

fn accepted_format(headers: &HeaderMap) -> Format {
    let csv = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|accept| accept.to_str().ok())
        .any(|accept| accept.contains("text/csv"));
    if csv { Format::Csv } else { Format::Json }
}
