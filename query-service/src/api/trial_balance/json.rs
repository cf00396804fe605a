//! The trial balance as JSON, as `TrialBalance` describes it.

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use serde::Serialize;
use serde_json::json;

use super::rows;
use super::stream::{Sink, Stopped};
use crate::read::{Snapshot, failed};

pub(super) async fn write(
    mut snapshot: Snapshot,
    ledger: String,
    before: Option<DateTime<Utc>>,
    mut sink: Sink,
) -> Result<(), Stopped> {
    let (log, position) = (snapshot.log(), snapshot.position());
    let broken = |error: sqlx::Error| Stopped::Failed(failed(&error));

    let head = format!(
        "{{\"ledger\":{},\"position\":{position},\"effective_before\":{},\"rows\":[",
        json!(ledger),
        json!(before)
    );
    sink.write(head.as_bytes()).await?;
    let mut rows = rows::rows(snapshot.connection(), log, before);
    let mut separator: &[u8] = b"";
    while let Some(row) = rows.try_next().await.map_err(broken)? {
        sink.write(separator).await?;
        sink.write(&bytes(&row)).await?;
        separator = b",";
    }
    drop(rows);
    let totals = rows::totals(snapshot.connection(), log, before).await.map_err(broken)?;
    sink.write(b"],\"totals\":").await?;
    sink.write(&bytes(&totals)).await?;
    sink.write(b"}").await?;
    sink.flush().await
}

fn bytes(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("rows are made of texts")
}
