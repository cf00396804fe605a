//! The real binary: started as processes, used over HTTP, killed and started again.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod cases;
mod deployment;
mod documents;
mod dry_runs;
mod expiry;
mod going_back;
mod import;
mod input;
mod kafka_gone;
mod refusals;
mod roles;
mod together;
mod topic;
mod up;

use recount_test_support::TestDatabase;
use recount_tests::http::Client;
use recount_tests::process::{Process, Program};

/// `recount up` on a database of its own, for tests of its answers.
struct Up {
    process: Process,
    /// A client with the first admin key.
    client: Client,
    /// Dropped after the process that uses it.
    database: TestDatabase,
}

impl Up {
    async fn start() -> Up {
        let database = TestDatabase::create().await;
        let process = Program::listening(["up", "--database-url", database.url()]).start().await;
        let client = process.client().with_key(&first_key(&process.stdout()));
        Up { process, client, database }
    }
}

/// The admin key that a first start has printed.
fn first_key(printed: &str) -> String {
    let key = printed.lines().map(str::trim).find(|line| line.starts_with("rk_"));
    key.unwrap_or_else(|| panic!("no key was printed:\n{printed}")).to_owned()
}
