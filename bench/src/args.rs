//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

/// Measure Recount on this machine, beside what Postgres alone gives for the same rows
///
/// Everything (load generator, service, Postgres) runs on the same cores, with the durable settings that `recount up`
/// uses. Commands that are counted are acknowledged ones, and are looked up in the log afterwards.
#[derive(Debug, Parser)]
#[command(name = "recount-bench", version)]
pub(crate) struct Args {
    /// How long each round of a scenario is measured, in seconds, after one second to warm up
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// Rounds of the scenarios that are compared with each other; they take turns, and the median round is shown
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99))]
    pub(crate) rounds: u32,
    /// Run only this scenario, or those whose names begin so; can be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) only: Vec<String>,
    /// Write the figures to this file too
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Use no more than so many of the machine's cores
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=1_024))]
    pub(crate) cores: u32,
    /// Where the private Postgres gets a temporary folder: on the disk that is to be measured. Beside this program, if
    /// it is not said, as the system's folder for temporary files is in memory on many machines
    #[arg(long, value_name = "FOLDER")]
    pub(crate) folder: Option<PathBuf>,
    /// The recount program; if it is not said, the one beside this program
    #[arg(long, env = "RECOUNT_BIN", value_name = "FILE")]
    pub(crate) recount: Option<PathBuf>,
}

impl Args {
    pub(crate) fn measured_for(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}
