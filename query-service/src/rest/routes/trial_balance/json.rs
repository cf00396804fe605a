//! The trial balance as JSON.

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::stream::{Sink, StreamError};
use crate::questions::trial_balance::{self, AssetTotal, TrialBalanceRow};
use crate::read::Snapshot;

/// The trial balance of a ledger.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used; the document is written row by row")]
pub(super) struct TrialBalance {
    #[schema(example = "household")]
    ledger: String,
    /// The position that it reflects.
    #[schema(example = 885)]
    position: i64,
    /// Only entries that take effect before this moment are counted; null if all are.
    effective_before: Option<DateTime<Utc>>,
    /// One row for each account and asset with an entry, by account and asset in byte order.
    rows: Vec<TrialBalanceRow>,
    totals: Vec<AssetTotal>,
}

/// Writes a document as [`TrialBalance`] describes it.
pub(super) async fn write(
    mut snapshot: Snapshot,
    ledger: String,
    before: Option<DateTime<Utc>>,
    mut sink: Sink,
) -> Result<(), StreamError> {
    let position = snapshot.position();
    let head = format!(
        "{{\"ledger\":{},\"position\":{position},\"effective_before\":{},\"rows\":[",
        json!(ledger),
        json!(before)
    );
    sink.write(head.as_bytes()).await?;
    let mut rows = trial_balance::rows(&mut snapshot, before);
    let mut separator: &[u8] = b"";
    while let Some(row) = rows.try_next().await? {
        sink.write(separator).await?;
        sink.write(&bytes(&row)).await?;
        separator = b",";
    }
    drop(rows);
    let totals = trial_balance::totals(&mut snapshot, before).await?;
    sink.write(b"],\"totals\":").await?;
    sink.write(&bytes(&totals)).await?;
    sink.write(b"}").await?;
    sink.flush().await
}

fn bytes(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("rows are made of texts")
}
