//! `recount-bench`: measures Recount on this machine, and compares it with Postgres alone on the same rows.
//!
//! A private Postgres and the `recount` program run as children, and everything shares the same few cores. `plan` defines
//! the scenarios. Nothing here knows the internals of the service: the load goes through HTTP, and the log is read to count
//! durable events.
#![expect(clippy::float_arithmetic, reason = "rates and ratios are measurements; no money is computed here")]

mod args;
mod cores;
mod cpu;
mod disk;
mod figures;
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
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::args::Args;
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
    let report = runtime.block_on(run(&args, &groups, &cores))?;
    print!("\n{}", report.to_text());
    if let Some(file) = &args.json {
        report.write_json(file)?;
    }
    ensure!(report.is_sound(), "some commands were not answered as expected, or are not in the log");
    Ok(())
}

async fn run(args: &Args, groups: &[Group], cores: &Cores) -> anyhow::Result<Report> {
    let mut ends =
        [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?];
    let below = match &args.folder {
        Some(folder) => folder.clone(),
        None => beside_this_program("")?,
    };
    // Not interruptible: it takes seconds, and would leave an incomplete Postgres. A signal takes effect right after.
    let server = Server::start(&below).await?;
    let measured = tokio::select! {
        measured = measure(args, groups, cores, &server) => measured,
        () = any(&mut ends) => Err(anyhow::anyhow!("interrupted")),
    };
    let stopped = server.stop().await;
    let report = measured?;
    stopped?;
    Ok(report)
}

async fn measure(args: &Args, groups: &[Group], cores: &Cores, server: &Server) -> anyhow::Result<Report> {
    let recount = match &args.recount {
        Some(path) => path.clone(),
        None => beside_this_program("recount")?,
    };
    if !recount.is_file() {
        bail!("{} does not exist; build it with `cargo build --release`", recount.display());
    }
    let disk_sync_micros = disk::median_sync_micros(server.folder())?;
    let duration = args.measured_for();
    let conditions =
        Conditions { server, recount: &recount, rounds: args.rounds, duration, cores: cores.clone() };
    let mut scenarios = Vec::new();
    for group in groups {
        let show = |name: &str, round: &_| eprintln!("{}", report::round_line(name, round));
        scenarios.extend(run::run_group(&conditions, group, show).await?);
    }
    let comparisons = figures::compare(&scenarios);
    let database = server.settings().await?;
    Ok(Report { version: 1, cores: cores.count(), database, disk_sync_micros, scenarios, comparisons })
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
