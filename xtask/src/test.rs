//! `cargo xtask test`.

use std::ffi::OsString;
use std::time::Instant;

use anyhow::ensure;
use clap::ValueEnum;

use crate::servers::Servers;
use crate::steps::{cargo, run as step};

/// So many have room on the Postgres of the tests.
const THREADS_MAX: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    Fmt,
    Clippy,
    Test,
}

pub(crate) async fn run(only: Option<Step>, arguments: &[OsString]) -> anyhow::Result<()> {
    let started = Instant::now();
    let wanted = |step| only.is_none_or(|only| only == step);
    if wanted(Step::Fmt) {
        interruptible(fmt()).await?;
    }
    // Before the long steps, so that what is missing on this machine is said at once.
    let servers = match wanted(Step::Test) {
        true => Some(interruptible(start_servers()).await?),
        false => None,
    };
    let done = interruptible(async {
        if wanted(Step::Clippy) {
            clippy().await?;
        }
        match &servers {
            Some(servers) => test(servers, arguments).await.map(Some),
            None => Ok(None),
        }
    })
    .await;
    // In any case, and before anything is returned: nothing may be left running.
    if let Some(servers) = servers {
        servers.stop().await;
    }
    let counts = done?;
    print!("\nall ok in {:.1?}", started.elapsed());
    println!("{}", counts.map_or_else(String::new, |counts| format!(": {} tests passed", counts.passed)));
    Ok(())
}

/// Dropping the work ends the processes that it started.
async fn interruptible<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::select! {
        done = work => done,
        interruption = crate::interrupted() => Err(interruption),
    }
}

async fn start_servers() -> anyhow::Result<Servers> {
    println!("\n== servers");
    let started = Instant::now();
    let servers = Servers::start().await?;
    println!("== servers: ok in {:.1?}", started.elapsed());
    Ok(servers)
}

async fn fmt() -> anyhow::Result<()> {
    let mut command = cargo();
    command.args(["fmt", "--all", "--check"]);
    step("fmt", command, |_| {}).await
}

async fn clippy() -> anyhow::Result<()> {
    let mut command = cargo();
    command.args(["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]);
    step("clippy", command, |_| {}).await
}

async fn test(servers: &Servers, arguments: &[OsString]) -> anyhow::Result<Counts> {
    let mut build = cargo();
    build.args(["build", "--package", "recount", "--locked"]);
    step("build", build, |_| {}).await?;

    let mut command = cargo();
    command.args(["test", "--locked", "--no-fail-fast"]);
    if !names_packages(arguments) {
        command.arg("--workspace");
    }
    command.args(arguments);
    for (name, _) in std::env::vars_os() {
        // The settings of whoever runs the tests are not those of what is tested; where the cache is, is no matter.
        if name.as_encoded_bytes().starts_with(b"RECOUNT_") && name != "RECOUNT_CACHE" {
            command.env_remove(name);
        }
    }
    if std::env::var_os("RUST_TEST_THREADS").is_none() {
        command.env("RUST_TEST_THREADS", threads().to_string());
    }
    command.envs(servers.environment.iter().cloned());
    command.env("RECOUNT_BIN", crate::built("debug", "recount")?);
    let mut counts = Counts::default();
    let done = step("test", command, |line| counts.add(line)).await;
    println!("tests: {} passed, {} failed, {} ignored", counts.passed, counts.failed, counts.ignored);
    done?;
    ensure!(
        counts.ignored == 0,
        "{} tests are ignored: a test that does not run proves nothing",
        counts.ignored
    );
    Ok(counts)
}

/// Tests at a time: each has several connections to the one Postgres, and some start several processes.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX)
}

/// Cargo lets `--workspace` win over `--package`.
fn names_packages(arguments: &[OsString]) -> bool {
    arguments
        .iter()
        .take_while(|argument| *argument != "--")
        .filter_map(|argument| argument.to_str())
        .any(|argument| argument.starts_with("-p") || argument.starts_with("--package"))
}

/// Summed over the lines with which each test binary ends.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Counts {
    fn add(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else {
            return;
        };
        for part in result.split([';', '.']) {
            match part.trim().split_once(' ').map(|(count, word)| (count.parse::<u64>(), word)) {
                Some((Ok(count), "passed")) => self.passed += count,
                Some((Ok(count), "failed")) => self.failed += count,
                Some((Ok(count), "ignored")) => self.ignored += count,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_adds_up_all_binaries() {
        let mut counts = Counts::default();
        counts.add(
            "test result: ok. 8 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
        );
        counts.add("test some::name ... ok");
        counts.add("test result: FAILED. 2 passed; 1 failed; 3 ignored; 0 measured; 0 filtered out; finished in 1.5s");
        assert_eq!(counts, Counts { passed: 10, failed: 1, ignored: 3 });
    }

    #[test]
    fn named_packages_replace_the_workspace() {
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        assert!(names_packages(&words("-p recount-events")));
        assert!(names_packages(&words("--package=recount-events name")));
        assert!(!names_packages(&words("name -- -p")));
    }
}
