//! `recount-bench`: measures Recount on this machine, and compares it with Postgres alone on the same rows.
//!
//! A private Postgres and the `recount` program run as children, and everything shares the same few cores. `plan` defines
//! the scenarios. Nothing there knows the internals of the service: the load goes through HTTP, and the log is read to count
//! durable events. Only `growth` knows the event store, because it fills and reads logs of millions of events.
#![expect(clippy::float_arithmetic, reason = "rates and ratios are measurements; no money is computed here")]

mod args;
mod cores;
mod cpu;
mod disk;
mod figures;
mod growth;
mod http;
mod ledger;
mod load;
mod plan;
mod posting;
mod random;
mod raw;
mod report;
mod requests;
mod run;
mod server;
mod service;

use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use clap::Parser;
use serde::Serialize;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::args::{Args, Task};
use crate::cores::Cores;
use crate::plan::Group;
use crate::report::Report;
use crate::run::Conditions;
use crate::server::Server;

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let groups = plan::plan(&args.only)?;
    // Before any other thread or process exists.
    let cores = Cores::confine(args.cores)?;
    // One thread: the generator must leave the cores to the service.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if let Some(Task::Growth(growth)) = &args.task {
        let measure = async |conditions: &Conditions<'_>, disk_sync_micros| {
            growth::run(growth, conditions, disk_sync_micros).await
        };
        let report = runtime.block_on(run(&args, &cores, measure))?;
        return show(&args, &report.to_text(), &report);
    }
    let measure = async |conditions: &Conditions<'_>, disk_sync_micros| {
        measure_groups(conditions, &groups, disk_sync_micros).await
    };
    let report = runtime.block_on(run(&args, &cores, measure))?;
    show(&args, &report.to_text(), &report)?;
    ensure!(report.is_sound(), "some commands were not answered as expected, or are not in the log");
    Ok(())
}

fn show(args: &Args, text: &str, report: &impl Serialize) -> anyhow::Result<()> {
    print!("\n{text}");
    match &args.json {
        Some(file) => report::write_json(report, file),
        None => Ok(()),
    }
}

/// Starts a server, and measures on it. The second argument is how long the disk takes to make a page durable.
async fn run<R>(
    args: &Args,
    cores: &Cores,
    measure: impl AsyncFnOnce(&Conditions<'_>, u64) -> anyhow::Result<R>,
) -> anyhow::Result<R> {
    let mut ends =
        [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?];
    let below = match &args.folder {
        Some(folder) => folder.clone(),
        None => beside_this_program("")?,
    };
    let recount = match &args.recount {
        Some(path) => path.clone(),
        None => beside_this_program("recount")?,
    };
    if !recount.is_file() {
        bail!("{} does not exist; build it with `cargo build --release`", recount.display());
    }
    // Not interruptible: it takes seconds, and would leave an incomplete Postgres. A signal takes effect right after.
    let server = Server::start(&below).await?;
    let measuring = async {
        let disk_sync_micros = disk::median_sync_micros(server.folder())?;
        let duration = args.measured_for();
        let conditions = Conditions {
            server: &server,
            recount: &recount,
            rounds: args.rounds,
            duration,
            cores: cores.clone(),
        };
        measure(&conditions, disk_sync_micros).await
    };
    let measured = tokio::select! {
        measured = measuring => measured,
        () = any(&mut ends) => Err(anyhow::anyhow!("interrupted")),
    };
    let stopped = server.stop().await;
    let report = measured?;
    stopped?;
    Ok(report)
}

async fn measure_groups(
    conditions: &Conditions<'_>,
    groups: &[Group],
    disk_sync_micros: u64,
) -> anyhow::Result<Report> {
    let mut scenarios = Vec::new();
    for group in groups {
        let show = |name: &str, round: &_| eprintln!("{}", report::round_line(name, round));
        scenarios.extend(run::run_group(conditions, group, show).await?);
    }
    let comparisons = figures::compare(&scenarios);
    let database = conditions.server.settings().await?;
    let cores = conditions.cores.count();
    Ok(Report { version: 1, cores, database, disk_sync_micros, scenarios, comparisons })
}

/// A file in the folder of this program.
fn beside_this_program(name: &str) -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe().context("cannot find this program's folder")?;
    Ok(program.parent().context("this program has no folder")?.join(name))
}

/// Returns at the first of these signals.
async fn any(signals: &mut [Signal; 3]) {
    let [interrupt, terminate, hangup] = signals;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
}
