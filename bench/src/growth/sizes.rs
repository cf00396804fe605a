//! One log at several sizes.

use std::time::Instant;

use anyhow::{Context, ensure};
use nix::sys::statvfs::statvfs;

use super::fill::Copier;
use super::filler::Rows;
use super::logs::measure_cursor;
use super::measure::{ACCOUNTS_PER_ROUND, LOADED_ACCOUNTS, measure_reads, measure_service};
use super::table::{Column, to_text};
use super::template::Template;
use super::world::World;
use crate::report::grouped;
use crate::run::Conditions;

/// The accounts of the events that only fill the log.
const FILLING_ACCOUNTS: u32 = 100_000;
/// Transfers of each account that is measured, at the beginning of the log.
const HISTORY_TRANSFERS: u32 = 4;
/// Pairs that are written at once.
const PAIRS_AT_ONCE: usize = 20_000;
/// What an event takes at most with its index entries and its write-ahead log, and what must stay free.
const EVENT_BYTES_MAX: i64 = 1_100;
const FREE_BYTES_MIN: i64 = 3 << 30;

/// The relations that grow with a log.
const RELATIONS: [(&str, &str); 7] = [
    ("events", "store.events"),
    ("events_pkey", "store.events_pkey"),
    ("event_tags", "store.event_tags"),
    ("event_tags_pkey", "store.event_tags_pkey"),
    ("news", "store.news"),
    ("news_xid_idx", "store.news_xid_idx"),
    ("frontiers", "store.frontiers"),
];

/// Measures at each of these sizes that fits on the disk.
pub(super) async fn measure(conditions: &Conditions<'_>, events: &[i64]) -> anyhow::Result<Vec<Column>> {
    let mut columns = Vec::new();
    if events == [0] {
        return Ok(columns);
    }
    let accounts_per_size = LOADED_ACCOUNTS + conditions.rounds * ACCOUNTS_PER_ROUND;
    let sizes = u32::try_from(events.len())?;
    let accounts = FILLING_ACCOUNTS + sizes * accounts_per_size;
    let mut world = World::make(conditions, "growth", accounts).await?;
    let template = world.template().await?;
    let mut copier = Copier::open(&world.database_url).await?;
    write_history(&mut world, &mut copier, &template, FILLING_ACCOUNTS..accounts).await?;
    copier.close().await?;
    for (number, events) in (0..).zip(events) {
        let mut column = Column::new(format!("{} events", grouped_events(*events)));
        if !fits(&world, *events).await? {
            eprintln!("{}: left out, because the disk would be full", column.title);
            break;
        }
        fill(&mut world, &template, *events, &mut column).await?;
        let first = FILLING_ACCOUNTS + number * accounts_per_size;
        measure_service(&mut world, first, &mut column).await?;
        measure_reads(&world, &mut column).await?;
        measure_cursor(&world, &mut column).await?;
        columns.push(column);
        // A long run may be interrupted.
        eprintln!("{}", to_text(&columns));
    }
    world.remove().await?;
    Ok(columns)
}

#[expect(clippy::cast_precision_loss, reason = "it is only shown")]
fn grouped_events(events: i64) -> String {
    grouped(events as f64)
}

/// Gives each of the accounts its transfers.
async fn write_history(
    world: &mut World<'_>,
    copier: &mut Copier,
    template: &Template,
    accounts: std::ops::Range<u32>,
) -> anyhow::Result<()> {
    let once: Vec<(u32, u32)> = accounts.step_by(2).map(|first| (first, first + 1)).collect();
    let mut filler = world.filler().await?;
    for _ in 0..HISTORY_TRANSFERS {
        for pairs in once.chunks(PAIRS_AT_ONCE) {
            let mut rows = Rows::new();
            filler.write(&mut rows, template, pairs, copier.now().await?);
            copier.copy(rows).await?;
        }
    }
    Ok(())
}

async fn fits(world: &World<'_>, events: i64) -> anyhow::Result<bool> {
    let disk = statvfs(world.conditions.server.folder())?;
    let free = i64::try_from(disk.blocks_available() * disk.fragment_size())?;
    Ok((events - world.head().await?) * EVENT_BYTES_MAX + FREE_BYTES_MIN < free)
}

async fn fill(
    world: &mut World<'_>,
    template: &Template,
    events: i64,
    column: &mut Column,
) -> anyhow::Result<()> {
    let before = (world.head().await?, relation_bytes(world).await?);
    ensure!(before.0 < events, "the log has {} events before it is filled; choose larger sizes", before.0);
    let mut copier = Copier::open(&world.database_url).await?;
    let (filler, began) = (world.filler().await?, Instant::now());
    copier.fill(filler, template, events, FILLING_ACCOUNTS).await?;
    copier.close().await?;
    let filled = f64::from(i32::try_from(events - before.0)?);
    column.add("filling", "events/s", filled / began.elapsed().as_secs_f64());
    eprintln!("{}: filled in {:.0} s", column.title, began.elapsed().as_secs_f64());
    world.tidy_up().await?;
    let (mut total, after) = (0.0, relation_bytes(world).await?);
    for (((name, _), before), after) in RELATIONS.into_iter().zip(before.1).zip(after) {
        let bytes = f64::from(u32::try_from((after - before) / 1_024)?) * 1_024.0 / filled;
        column.add(name, "bytes/event", bytes);
        total += bytes;
    }
    column.add("all of these", "bytes/event", total);
    Ok(())
}

async fn relation_bytes(world: &World<'_>) -> anyhow::Result<Vec<i64>> {
    let names: Vec<&str> = RELATIONS.iter().map(|(_, relation)| *relation).collect();
    let bytes = "select pg_table_size(r.name::regclass) from unnest($1::text[]) with ordinality as r(name, n) order by n";
    let bytes: Vec<i64> = sqlx::query_scalar(bytes).bind(names).fetch_all(&world.pool).await?;
    (bytes.len() == RELATIONS.len()).then_some(bytes).context("a relation is missing")
}
