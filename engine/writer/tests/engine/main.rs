//! The engine on a real Postgres, with a small domain of its own.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod concurrency;
mod correct_time;
mod deadlines;
mod dry_run;
mod faults;
mod going_back;
mod idempotency;
mod long_histories;
mod lookups;
mod memory;
mod opening;
mod segments;
mod tagged;
mod theatre;
mod turns;
mod world;

use crate::theatre::{Command, Theatre};
use crate::world::{keyed, summary};
use recount_core::LogName;
use recount_writer::CommandEngine;

fn announce(show: &str, seats: u32) -> Command {
    Command::Announce { show: show.to_owned(), seats }
}

fn reserve(show: &str, guest: &str) -> Command {
    Command::Reserve { show: show.to_owned(), guest: guest.to_owned(), until: None }
}

/// Submits the command until it succeeds, as a client does. For an engine with a short command timeout.
async fn submit_until_done(engine: &CommandEngine<Theatre>, log: &LogName, command: Command) {
    while summary(&engine.submit(log, keyed(command.clone(), "until it is done")).await) != "1 events" {}
}
