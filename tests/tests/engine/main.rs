//! The engine on a real Postgres, with a domain that is no ledger.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod concurrency;
mod deadlines;
mod dry_run;
mod faults;
mod idempotency;
mod lookups;
mod memory;
mod opening;
mod tagged;
mod turns;

use recount_command_service::engine::Engine;
use recount_events::LogKey;
use recount_tests::theatre::{Command, Theatre};
use recount_tests::world::{keyed, told};

fn announce(show: &str, seats: u32) -> Command {
    Command::Announce { show: show.to_owned(), seats }
}

fn reserve(show: &str, guest: &str) -> Command {
    Command::Reserve { show: show.to_owned(), guest: guest.to_owned(), until: None }
}

/// Submits it until it is done, as a client does: for an engine that tells its callers soon to come again.
async fn done(engine: &Engine<Theatre>, log: LogKey, command: Command) {
    while told(&engine.submit(log, keyed(command.clone(), "until it is done")).await) != "1 events" {}
}
