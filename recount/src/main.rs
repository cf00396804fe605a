//! The one binary of Recount: everything in one process with `up`, or one process per role.
//!
//! This crate only starts and stops, in straight lines; the work is done by the libraries of the services.

mod banner;
mod commands;
mod deployment;
mod supervise;

use std::process::ExitCode;

use clap::Parser;
use recount_service_kit::config::OutputArgs;
use recount_service_kit::telemetry;

use commands::Action;

/// The command side makes many small allocations on several threads; this allocator saves a fifth of its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Event-sourced CQRS with a double-entry ledger: every number can be recounted.
#[derive(Debug, Parser)]
#[command(name = "recount", version)]
struct Cli {
    #[command(flatten)]
    output: OutputArgs,
    #[command(subcommand)]
    action: Action,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    telemetry::init(cli.output.log_format);
    match start(cli.action) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("recount: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(action: Action) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(action.run());
    // Everything that was asked to stop has stopped; remaining tasks must not keep the process alive.
    runtime.shutdown_background();
    result
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
