//! Development tasks. `cargo xtask test` is what continuous integration runs, whole and unchanged.
//!
//! What must not be here: tests, and anything that a user of Recount needs.

mod bench;
mod servers;
mod steps;
mod test;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Development tasks of Recount")]
enum Task {
    /// Check the format, lint, and run every test, against a real Postgres and a real Kafka.
    Test {
        /// Run this step alone.
        #[arg(long)]
        only: Option<test::Step>,
        /// Passed on to `cargo test`.
        #[arg(last = true)]
        arguments: Vec<OsString>,
    },
    /// Build the binary and the load generator for release, and run the load generator.
    Bench {
        /// Passed on to the load generator.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().without_time().with_target(false).with_writer(std::io::stderr).init();
    let done = match Task::parse() {
        Task::Test { only, arguments } => test::run(only, &arguments).await,
        Task::Bench { arguments } => bench::run(&arguments).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nxtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package is a folder of the repository")
}

/// A binary that cargo built beside this one, in the given profile's folder.
fn built(profile_folder: &str, name: &str) -> anyhow::Result<PathBuf> {
    let ourselves = std::env::current_exe()?;
    let target = ourselves.parent().and_then(Path::parent);
    let target = target.ok_or_else(|| anyhow::anyhow!("xtask is not in cargo's target folder"))?;
    Ok(target.join(profile_folder).join(name))
}

/// Completes at SIGINT, SIGTERM or SIGHUP. (Cargo and its children are in a process group of their own, so
/// that they do not get them as well and die in disorder.)
async fn interrupted() -> anyhow::Error {
    let listen = |kind| signal(kind);
    let listening =
        (listen(SignalKind::interrupt()), listen(SignalKind::terminate()), listen(SignalKind::hangup()));
    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)) = listening else {
        return anyhow::anyhow!("cannot listen for signals");
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    anyhow::anyhow!("interrupted")
}
