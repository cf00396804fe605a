//! Development tasks. `cargo xtask test` is exactly what continuous integration runs.
//!
//! What must not be here: tests of Recount, and anything that its users need.

mod bench;
mod checks;
mod counts;
mod needs;
mod selection;
mod serve;
mod servers;
/// The tests read the file that we write, and depend on none of our code.
#[path = "../../test-support/src/servers_file.rs"]
mod servers_file;
mod steps;
mod test;
mod workspace;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

const TEST_FORMS: &str = "\
Forms:
  cargo xtask test                               everything, as in continuous integration
  cargo xtask test NAME                          the tests of all packages with NAME in their path
  cargo xtask test -p CRATE                      the tests of one package
  cargo xtask test -p CRATE NAME                 those with NAME in their path
  cargo xtask test -p CRATE --test FILE [NAME]   those in one file of the package's `tests` folder
  cargo xtask test -p CRATE NAME -- --nocapture  after `--`: for the test program (try `-- --help`)
  cargo xtask test --only STEP                   one step: fmt, checks, clippy or test

With -p, NAME or other arguments of `cargo test`, only tests run. Servers are started if the selected packages need
them (see `test-needs` in their Cargo.toml). RECOUNT_TEST_DATABASE_URL and RECOUNT_TEST_KAFKA name servers of your own;
`cargo xtask servers` keeps some running, which later runs find by themselves.";

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Development tasks of Recount")]
enum Task {
    /// Run everything that continuous integration runs, or the selected tests.
    #[command(after_help = TEST_FORMS)]
    Test {
        /// Run only this step.
        #[arg(long)]
        only: Option<test::Step>,
        /// Passed on to `cargo test`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Keep a Postgres for the tests running, until Ctrl-C; test runs find it by themselves.
    Servers {
        /// A Kafka as well (needs Java and Maven).
        #[arg(long)]
        kafka: bool,
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
        Task::Servers { kafka } => serve::run(kafka).await,
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

/// Completes at SIGINT, SIGTERM or SIGHUP. (Cargo and its children are in a process group of their own, so that they do
/// not get these signals as well and end in any order.)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn test_arguments(line: &str) -> (Option<test::Step>, Vec<OsString>) {
        let words = ["cargo xtask", "test"].into_iter().chain(line.split_whitespace());
        match Task::try_parse_from(words) {
            Ok(Task::Test { only, arguments }) => (only, arguments),
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn arguments_of_cargo_test_need_no_separator() {
        for line in ["", "name", "-p crate name", "-p crate --test file", "--lib name -- --exact --nocapture"]
        {
            let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
            assert_eq!(test_arguments(line), (None, words), "{line}");
        }
    }

    #[test]
    fn arguments_after_a_separator_are_still_passed_on() {
        let words = ["-p", "crate", "--", "--exact"].map(OsString::from).to_vec();
        assert_eq!(test_arguments("--only test -- -p crate -- --exact"), (Some(test::Step::Test), words));
        assert_eq!(test_arguments("--only fmt"), (Some(test::Step::Fmt), Vec::new()));
    }
}
