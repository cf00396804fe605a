//! The engine on a real Postgres, with a domain that is no ledger.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod concurrency;
mod deadlines;
mod dry_run;
mod faults;
mod idempotency;
mod lookups;
mod memory;
mod tagged;

use recount_tests::theatre::Command;

fn announce(show: &str, seats: u32) -> Command {
    Command::Announce { show: show.to_owned(), seats }
}

fn reserve(show: &str, guest: &str) -> Command {
    Command::Reserve { show: show.to_owned(), guest: guest.to_owned(), until: None }
}
