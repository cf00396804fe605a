//! `growth`: whether the event store stays as fast while a log, or the number of logs, grows.
//!
//! The log is filled by COPY with rows like those that the service writes: the events are authentic and follow from each
//! other. The accounts that a measurement uses have the same history at each size, at the beginning of the log, so size is
//! the only difference.

mod fill;
mod filler;
mod logs;
mod measure;
mod rows;
mod sizes;
mod table;
mod template;
mod world;

use crate::args::GrowthArgs;
use crate::run::Conditions;

pub(crate) use table::GrowthReport;

pub(crate) async fn run(
    args: &GrowthArgs,
    conditions: &Conditions<'_>,
    disk_sync_micros: u64,
) -> anyhow::Result<GrowthReport> {
    let by_events = sizes::measure(conditions, &args.events).await?;
    let by_logs = if args.logs > 0 { logs::measure(conditions, args.logs).await? } else { Vec::new() };
    Ok(GrowthReport {
        version: 1,
        cores: conditions.cores.count(),
        database: conditions.server.settings().await?,
        disk_sync_micros,
        by_events,
        by_logs,
    })
}
