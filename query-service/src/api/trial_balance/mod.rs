//! The trial balance: every account and asset with its debits and credits, and the proof that they are equal.
//!
//! It holds every account, so that it is written while it is read and takes no memory to speak of.

mod csv;
mod json;
mod rows;
mod stream;

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use http::HeaderMap;
use http::header::ACCEPT;
use recount_service_kit::http::{Path, Query};
use recount_service_kit::problem::Problem;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::parameters::{Freshness, InLedger, Kind, Moment};
use super::problems::OfLedgers;
use crate::read::{Reader, Wish};

/// The trial balance of a ledger.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used; the document is written row by row")]
pub(super) struct TrialBalance {
    #[schema(example = "household")]
    ledger: String,
    /// The position that it reflects.
    #[schema(example = 885)]
    position: i64,
    /// Only entries effective before this moment are counted; null: all of them.
    effective_before: Option<DateTime<Utc>>,
    /// One row for each account and asset with an entry, by account and asset in byte order.
    rows: Vec<TrialBalanceRow>,
    totals: Vec<AssetTotal>,
}

/// An account's sums in one asset, in minor units.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TrialBalanceRow {
    #[schema(example = "Equity:Opening-Balances")]
    account: String,
    #[schema(value_type = Kind)]
    kind: String,
    #[schema(example = "USD/2")]
    asset: String,
    #[schema(example = "0")]
    debits: String,
    #[schema(example = "307770")]
    credits: String,
    /// On the account's normal side: debits less credits for assets and expenses, credits less debits for others.
    #[schema(example = "307770")]
    balance: String,
    /// Debits less credits, whatever the account is. The nets of an asset add up to zero.
    #[schema(example = "-307770")]
    net: String,
    /// The net as a decimal.
    #[schema(example = "-3077.70 USD")]
    formatted: String,
}

/// The sums of all accounts in one asset, in minor units. They are equal, or the books are wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AssetTotal {
    #[schema(example = "USD/2")]
    asset: String,
    #[schema(example = "54000000")]
    debits: String,
    #[schema(example = "54000000")]
    credits: String,
    balanced: bool,
}

/// The form of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    Json,
    Csv,
}

/// Which entries, and in which form.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    /// Count only entries effective before this moment; the moment itself is left out. A time by RFC 3339, or a date,
    /// which is its midnight in UTC, so that the day itself is left out: the books closed through 2026-01-31 are
    /// `effective_before=2026-02-01`.
    #[param(value_type = Option<String>, example = "2026-02-01")]
    effective_before: Option<Moment>,
    /// `json` or `csv`; without it, what the Accept header says.
    #[param(inline)]
    format: Option<Format>,
}

/// The trial balance of a ledger.
///
/// As CSV it has the columns account and balance: signed with debits positive, in every asset whose balance is not
/// zero, and `0` where all are.
#[utoipa::path(get, path = "/v1/ledgers/{ledger}/trial-balance", tag = "ledgers", operation_id = "show_trial_balance",
    params(InLedger, Parameters, Freshness),
    responses((status = 200, description = "The trial balance",
        content((TrialBalance = "application/json"), (String = "text/csv")),
        headers(("Recount-Position" = i64, description = "The position that the answer reflects"))), OfLedgers))]
pub(super) async fn show(
    State(reader): State<Reader>,
    Path(InLedger { ledger }): Path<InLedger>,
    Query(parameters): Query<Parameters>,
    wish: Wish,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let before = parameters.effective_before.map(|Moment(moment)| moment);
    let format = parameters.format.unwrap_or_else(|| accepted(&headers));
    let snapshot = reader.ledger(&ledger, &wish).await?;
    let stamp = snapshot.stamp();
    let answer = match format {
        Format::Json => {
            stream::answer("application/json", |sink| json::write(snapshot, ledger, before, sink)).await
        }
        Format::Csv => {
            stream::answer("text/csv; charset=utf-8", |sink| csv::write(snapshot, before, sink)).await
        }
    };
    Ok(stamp.on(answer))
}

fn accepted(headers: &HeaderMap) -> Format {
    let csv = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|accept| accept.to_str().ok())
        .any(|accept| accept.contains("text/csv"));
    if csv { Format::Csv } else { Format::Json }
}
