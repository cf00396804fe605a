//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

/// Measure Recount on this machine, and compare it with Postgres alone on the same rows
///
/// Load generator, service and Postgres run on the same cores, with the durable settings of `recount up`. Only acknowledged
/// commands count, and each is verified in the log afterwards.
#[derive(Debug, Parser)]
#[command(name = "recount-bench", version)]
pub(crate) struct Args {
    /// Seconds to measure each round of a scenario, after one second of warm-up
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// Rounds of scenarios that are compared with each other. Their rounds are interleaved, and the median round is shown
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99))]
    pub(crate) rounds: u32,
    /// Run only this scenario, or all scenarios whose names start with this text; can be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) only: Vec<String>,
    /// Also write the figures to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Use at most this many of the machine's cores
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=1_024))]
    pub(crate) cores: u32,
    /// Create the temporary folder of the private Postgres here, on the disk to measure. By default in the folder of this
    /// program, because the system's temporary folder is in memory on many machines
    #[arg(long, value_name = "FOLDER")]
    pub(crate) folder: Option<PathBuf>,
    /// The recount program. By default the one in the folder of this program
    #[arg(long, env = "RECOUNT_BIN", value_name = "FILE")]
    pub(crate) recount: Option<PathBuf>,
}

impl Args {
    pub(crate) fn measured_for(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}
