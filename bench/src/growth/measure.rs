//! What is measured at one size.

use std::time::{Duration, Instant};

use anyhow::ensure;
use recount_core::Position;
use tokio::task::{JoinSet, LocalSet};

use super::table::Column;
use super::world::{World, post};
use crate::cpu::Processes;
use crate::load::{Loaded, Measurement, drive};
use crate::posting::Poster;
use crate::requests::Aim;
use crate::service::Service;

/// The accounts of the load.
pub(super) const LOADED_ACCOUNTS: u32 = 20_000;
/// The accounts of the first commands after a start.
const STARTED_ACCOUNTS: u32 = 5_000;
/// Pairs of accounts that are loaded one after another: so few that the writer does not read its filter meanwhile.
const COLD_PAIRS: u32 = 200;
/// The accounts that a round uses once and no other round uses.
pub(super) const ACCOUNTS_PER_ROUND: u32 = STARTED_ACCOUNTS + 2 * COLD_PAIRS;

/// Commands of each connection after a start.
const FIRST_COMMANDS: usize = 32;
const WARM_UP_INTERVAL: Duration = Duration::from_secs(3);
/// How long a writer may take to read its filter. A command at each interval keeps the writer from ending.
const FILTER_TIMEOUT: Duration = Duration::from_secs(600);
const FILTER_POLL_INTERVAL: Duration = Duration::from_millis(100);
/// If no tags were read for so long, all of them have been.
const FILTER_QUIET_INTERVAL: Duration = Duration::from_secs(3);

const PAGE_EVENTS: u32 = 1_000;
const PAGES: i64 = 20;

/// Everything that goes through the command service, with accounts from `first` on.
pub(super) async fn measure_service(
    world: &mut World<'_>,
    first: u32,
    column: &mut Column,
) -> anyhow::Result<()> {
    let loaded = Aim::Among { first, accounts: LOADED_ACCOUNTS };
    world.wait_until_alone().await?;
    let before = sequential_scans(world).await?;
    make_filters(world, loaded, column).await?;
    for round in 0..world.conditions.rounds {
        let first = first + LOADED_ACCOUNTS + round * ACCOUNTS_PER_ROUND;
        measure_start(world, first, column).await?;
        measure_cold_loads(world, first + STARTED_ACCOUNTS, column).await?;
    }
    measure_appends(world, loaded, column).await?;
    world.wait_until_alone().await?;
    let after = sequential_scans(world).await?;
    column.add("sequential scans of events", "number", f64::from(after.0 - before.0));
    column.add("sequential scans of event_tags", "number", f64::from(after.1 - before.1));
    Ok(())
}

/// Makes the service store the filters of the segments that were filled. Otherwise it does so as each is completed.
async fn make_filters(world: &mut World<'_>, aim: Aim, column: &mut Column) -> anyhow::Result<()> {
    let service = world.serve().await?;
    post_all(world.posters(&service, aim).await?).await?;
    let made = wait_for_filter(world, &service, aim).await?;
    column.add("making the filters of the segments, after the first commands", "s", made.as_secs_f64());
    service.stop().await
}

/// How long a service takes that knows nothing yet.
async fn measure_start(world: &mut World<'_>, first: u32, column: &mut Column) -> anyhow::Result<()> {
    let aim = Aim::Among { first, accounts: STARTED_ACCOUNTS };
    let began = Instant::now();
    let service = world.serve().await?;
    let ready = began.elapsed();
    post(&mut world.poster(&service, aim).await?).await?;
    column.add("start of the service", "ms", millis(ready));
    column.add("start until the first accepted command", "ms", millis(began.elapsed()));
    let posters = world.posters(&service, aim).await?;
    let began = Instant::now();
    post_all(posters).await?;
    column.add("the next 2,048 commands, 64 connections", "ms", millis(began.elapsed()));
    service.stop().await
}

/// Makes each client send its first commands.
async fn post_all(posters: Vec<Poster>) -> anyhow::Result<()> {
    let local = LocalSet::new();
    let all = async {
        let mut clients = JoinSet::new();
        for mut poster in posters {
            clients.spawn_local(async move {
                for _ in 0..FIRST_COMMANDS {
                    post(&mut poster).await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(client) = clients.join_next().await {
            client??;
        }
        Ok(())
    };
    local.run_until(all).await
}

/// How long commands take whose accounts have to be loaded.
async fn measure_cold_loads(world: &mut World<'_>, first: u32, column: &mut Column) -> anyhow::Result<()> {
    let service = world.serve().await?;
    // The first command opens the log. It uses the accounts of another measurement.
    post(&mut world.poster(&service, Aim::Among { first: 0, accounts: 2 }).await?).await?;
    for pair in 0..COLD_PAIRS {
        let mut poster = world.poster(&service, Aim::Among { first: first + 2 * pair, accounts: 2 }).await?;
        let began = Instant::now();
        post(&mut poster).await?;
        column.add("a command whose two accounts are loaded", "ms", millis(began.elapsed()));
    }
    service.stop().await
}

/// The rate of single commands, once the writer has read its filter.
pub(super) async fn measure_appends(
    world: &mut World<'_>,
    aim: Aim,
    column: &mut Column,
) -> anyhow::Result<()> {
    let service = world.serve().await?;
    load(world, &service, aim, Duration::ZERO).await?;
    column.add(
        "reading the filter, after 3 s of load",
        "s",
        wait_for_filter(world, &service, aim).await?.as_secs_f64(),
    );
    for _ in 0..world.conditions.rounds {
        // Whole pages are logged once after each checkpoint: more if the writes are scattered.
        world.conditions.server.checkpoint().await?;
        let before = wal_position(world).await?;
        let loaded = load(world, &service, aim, world.conditions.duration).await?;
        let wal = f64::from(u32::try_from(wal_position(world).await? - before)?);
        column.add("its write-ahead log", "bytes/command", wal / number(loaded.acknowledged)?);
        add_load(column, &loaded, world.conditions.cores.count())?;
    }
    service.stop().await
}

fn add_load(column: &mut Column, loaded: &Loaded, cores: u32) -> anyhow::Result<()> {
    let (seconds, commands) = (loaded.elapsed.as_secs_f64(), number(loaded.commands)?);
    let rate = commands / seconds;
    eprintln!("{}: {rate:.0} commands/s", column.title);
    column.add("appending, 64 connections", "commands/s", rate);
    let micros = |percent: f64| percent / 100.0 * f64::from(cores) * seconds * 1e6 / commands;
    column.add("its processor time in the service", "µs/command", micros(loaded.cpu.service));
    column.add("its processor time in Postgres", "µs/command", micros(loaded.cpu.postgres));
    column.add("other programs meanwhile", "% of the cores", loaded.cpu.others);
    Ok(())
}

fn number(count: u64) -> anyhow::Result<f64> {
    Ok(f64::from(u32::try_from(count)?))
}

/// How much write-ahead log there has been, in bytes.
async fn wal_position(world: &World<'_>) -> anyhow::Result<i64> {
    let position = "select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint";
    Ok(sqlx::query_scalar(position).fetch_one(&world.pool).await?)
}

/// Posts for a while, and checks that the log has exactly the acknowledged commands.
async fn load(
    world: &mut World<'_>,
    service: &Service,
    aim: Aim,
    duration: Duration,
) -> anyhow::Result<Loaded> {
    let before = world.head().await?;
    let workers = world.posters(service, aim).await?;
    let conditions = world.conditions;
    let processes = Processes {
        cores: conditions.cores.clone(),
        service: service.pid(),
        postgres: conditions.server.postgres_pid()?,
    };
    let loaded = drive(workers, Measurement { warm_up: WARM_UP_INTERVAL, duration, processes }).await?;
    ensure!(loaded.errors == 0, "{} errors, the first: {:?}", loaded.errors, loaded.first_error);
    let moved = world.head().await? - before;
    ensure!(
        u64::try_from(moved) == Ok(loaded.acknowledged),
        "{} commands were acknowledged, and the log moved by {moved}",
        loaded.acknowledged
    );
    Ok(loaded)
}

/// Waits until the writer no longer reads tags, and returns how long it did.
async fn wait_for_filter(world: &mut World<'_>, service: &Service, aim: Aim) -> anyhow::Result<Duration> {
    // Between two pages no statement is active, but a session shows its last one.
    const READERS: &str = "select count(*) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()
          and (state = 'active' or query_start > clock_timestamp() - interval '1 second')
          and (query like '%from store.event_tags%' or query like '%store.tag_filters%')";
    let mut poster = world.poster(service, aim).await?;
    let (began, mut read_for) = (Instant::now(), Duration::ZERO);
    while began.elapsed() < read_for + FILTER_QUIET_INTERVAL {
        post(&mut poster).await?;
        if sqlx::query_scalar::<_, i64>(READERS).fetch_one(&world.pool).await? > 0 {
            read_for = began.elapsed();
        }
        ensure!(began.elapsed() < FILTER_TIMEOUT, "the filter is still being read");
        tokio::time::sleep(FILTER_POLL_INTERVAL).await;
    }
    Ok(read_for)
}

/// Reading the log in order.
pub(super) async fn measure_reads(world: &World<'_>, column: &mut Column) -> anyhow::Result<()> {
    let span = PAGES * i64::from(PAGE_EVENTS);
    let head = world.head().await?;
    let places = [
        ("a page of 1,000 events at the beginning", "its blocks (beginning)", 0),
        ("a page of 1,000 events in the middle", "its blocks (middle)", head / 2),
        ("a page of 1,000 events at the end", "its blocks (end)", head - span),
    ];
    for (name, blocks, start) in places {
        let before = blocks_of_events(world).await?;
        let (pool, reader) = world.reader().await?;
        for page in 0..PAGES {
            let after = Position(start + page * i64::from(PAGE_EVENTS));
            let began = Instant::now();
            let events = reader.read(world.log, after, PAGE_EVENTS).await?;
            column.add(name, "ms", millis(began.elapsed()));
            ensure!(events.len() == PAGE_EVENTS as usize, "a page has {} events", events.len());
        }
        pool.close().await;
        world.wait_until_alone().await?;
        let read = f64::from(i32::try_from(blocks_of_events(world).await? - before)?);
        column.add(blocks, "blocks", read / f64::from(i32::try_from(PAGES)?));
    }
    for _ in 0..world.conditions.rounds {
        column.add("the last 20,000 events, verified", "events/s", resume(world, head - span).await?);
    }
    Ok(())
}

/// The rate at which a follower that was away reads on from its tip.
async fn resume(world: &World<'_>, from: i64) -> anyhow::Result<f64> {
    let mut tip = world.tip_at(from).await?;
    let (pool, reader) = world.reader().await?;
    let (mut read, began) = (0_u32, Instant::now());
    loop {
        let events = reader.read_after(world.log, tip, PAGE_EVENTS).await?;
        let Some(last) = events.last() else { break };
        tip = recount_core::Tip::at(last);
        read += u32::try_from(events.len())?;
    }
    let rate = f64::from(read) / began.elapsed().as_secs_f64();
    pool.close().await;
    Ok(rate)
}

/// Blocks of the events and their index that were looked at, in memory or not.
async fn blocks_of_events(world: &World<'_>) -> anyhow::Result<i64> {
    Ok(sqlx::query_scalar(
        "select (heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit)::bigint
         from pg_statio_user_tables where relid = 'store.events'::regclass",
    )
    .fetch_one(&world.pool)
    .await?)
}

/// Sequential scans of the events, and of the tags, until now.
async fn sequential_scans(world: &World<'_>) -> anyhow::Result<(i32, i32)> {
    Ok(sqlx::query_as(
        "select (select seq_scan::integer from pg_stat_user_tables where relid = 'store.events'::regclass),
                (select seq_scan::integer from pg_stat_user_tables where relid = 'store.event_tags'::regclass)",
    )
    .fetch_one(&world.pool)
    .await?)
}

pub(super) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
