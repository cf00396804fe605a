//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

/// Measure Recount on this machine, and compare it with Postgres alone on the same rows
///
/// Load generator, service and Postgres run on the same cores, with the durable settings of `recount up`. Only acknowledged
/// commands count, and each is verified in the log afterwards.
#[derive(Debug, Parser)]
#[command(name = "recount-bench", version)]
pub(crate) struct Args {
    /// Seconds to measure each round of a scenario, after one second of warm-up
    #[arg(long, global = true, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// Rounds of scenarios that are compared with each other. Their rounds are interleaved, and the median round is shown
    #[arg(long, global = true, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99))]
    pub(crate) rounds: u32,
    /// Run only this scenario, or all scenarios whose names start with this text; can be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) only: Vec<String>,
    /// Also write the figures to this file
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Use at most this many of the machine's cores
    #[arg(long, global = true, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=1_024))]
    pub(crate) cores: u32,
    /// Create the temporary folder of the private Postgres here, on the disk to measure. By default in the folder of this
    /// program, because the system's temporary folder is in memory on many machines
    #[arg(long, global = true, value_name = "FOLDER")]
    pub(crate) folder: Option<PathBuf>,
    /// The recount program. By default the one in the folder of this program
    #[arg(long, global = true, env = "RECOUNT_BIN", value_name = "FILE")]
    pub(crate) recount: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) task: Option<Task>,
}

/// What to measure instead of the scenarios.
#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Measure whether the event store stays as fast while a log, or the number of logs, grows
    Growth(GrowthArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct GrowthArgs {
    /// Sizes of one log, in events, at which to measure. An event takes about a kilobyte of disk. By default the second size
    /// is larger by two complete segments of the tags' index, so that the last one is filled to the same extent.
    /// With 0, only logs among others are measured
    #[arg(long, value_delimiter = ',', value_name = "EVENTS", default_values_t = [1_600_000, 9_988_608],
          value_parser = clap::value_parser!(i64).range(0..=1_000_000_000))]
    pub(crate) events: Vec<i64>,
    /// Number of logs for the measurements among many logs. With 0, only the sizes of one log are measured
    #[arg(long, value_name = "NUMBER", default_value_t = 100_000)]
    pub(crate) logs: u32,
}

impl Args {
    pub(crate) fn measured_for(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}
