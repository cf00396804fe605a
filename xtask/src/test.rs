//! `cargo xtask test`.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::time::Instant;

use anyhow::ensure;
use clap::ValueEnum;

use crate::counts::Counts;
use crate::needs::{self, Need};
use crate::selection::Selection;
use crate::servers::{self, Servers};
use crate::steps::{cargo, run as step};
use crate::{checks, workspace};

/// More than this many test threads would need more connections than the test Postgres has.
const THREADS_MAX: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// The format of the sources.
    Fmt,
    /// Unused dependencies, licences and duplicate versions; with typos and cargo-deny, where they are installed.
    Checks,
    /// Lints, with warnings denied.
    Clippy,
    /// Build, and run the tests.
    Test,
}

/// The whole run, or the one step, or, if tests are selected, only those.
fn is_wanted(step: Step, only: Option<Step>, arguments: &[OsString]) -> bool {
    match only {
        Some(only) => only == step,
        None => arguments.is_empty() || step == Step::Test,
    }
}

pub(crate) async fn run(only: Option<Step>, arguments: &[OsString]) -> anyhow::Result<()> {
    let started = Instant::now();
    let wanted = |step| is_wanted(step, only, arguments);
    if wanted(Step::Fmt) {
        interruptible(fmt()).await?;
    }
    if wanted(Step::Checks) {
        interruptible(checks::run()).await?;
    }
    // Before the long steps, so that a server that cannot be started is reported at once.
    let tests = match wanted(Step::Test) {
        true => Some(interruptible(Tests::prepare(arguments)).await?),
        false => None,
    };
    let done = interruptible(async {
        if wanted(Step::Clippy) {
            clippy().await?;
        }
        match &tests {
            Some(tests) => tests.run(arguments).await.map(Some),
            None => Ok(None),
        }
    })
    .await;
    // In any case, and before anything is returned: nothing may be left running.
    if let Some(tests) = tests {
        tests.servers.stop().await;
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

/// A run of tests, and what they need around them.
struct Tests {
    selection: Selection,
    needs: BTreeSet<Need>,
    /// What the tests find in their environment.
    variables: Vec<(&'static str, String)>,
    /// Those that were started for this run.
    servers: Servers,
}

impl Tests {
    async fn prepare(arguments: &[OsString]) -> anyhow::Result<Tests> {
        let selection = Selection::of(arguments);
        let needs = needs::of(&selection, &workspace::packages().await?);
        println!("\n== servers");
        let started = Instant::now();
        let mut variables = servers::running(&needs).await;
        for (name, value) in &variables {
            println!("{name}={value}");
        }
        let is_missing = |need: &Need| !variables.iter().any(|(name, _)| Some(*name) == variable(*need));
        let servers = Servers::start(&needs.iter().copied().filter(is_missing).collect()).await?;
        variables.extend(servers.variables());
        match variables.is_empty() {
            true => println!("== servers: these tests need none"),
            false => println!("== servers: ok in {:.1?}", started.elapsed()),
        }
        Ok(Tests { selection, needs, variables, servers })
    }

    async fn run(&self, arguments: &[OsString]) -> anyhow::Result<Counts> {
        if self.needs.contains(&Need::Binary) {
            self.build().await?;
        }
        let mut command = cargo();
        command.args(["test", "--locked", "--no-fail-fast"]);
        if !self.selection.names_packages() {
            // Cargo lets it win over `--package`.
            command.arg("--workspace");
        }
        command.args(arguments);
        self.set_environment(&mut command)?;
        let mut counts = Counts::default();
        let done = step("test", command, |line| counts.add(line)).await;
        println!("tests: {} passed, {} failed, {} ignored", counts.passed, counts.failed, counts.ignored);
        done?;
        ensure!(
            counts.ignored == 0,
            "{} tests are ignored: a test that does not run proves nothing",
            counts.ignored
        );
        ensure!(counts.passed > 0, "no test has this name: a run without tests proves nothing");
        Ok(counts)
    }

    /// The program that some tests start. In a run of all packages it is built together with the tests: on its own it
    /// would have fewer features of its dependencies enabled, and a third of them would be compiled twice.
    async fn build(&self) -> anyhow::Result<()> {
        let mut command = cargo();
        command.args(["build", "--locked"]);
        match self.selection.names_packages() {
            true => command.args(["--package", "recount"]),
            false => command.args(["--workspace", "--all-targets"]),
        };
        step("build", command, |_| {}).await
    }

    fn set_environment(&self, command: &mut tokio::process::Command) -> anyhow::Result<()> {
        for (name, _) in std::env::vars_os() {
            // The user's settings of Recount must not reach the programs under test; the place of the cache may.
            if name.as_encoded_bytes().starts_with(b"RECOUNT_") && name != "RECOUNT_CACHE" {
                command.env_remove(name);
            }
        }
        if std::env::var_os("RUST_TEST_THREADS").is_none() {
            command.env("RUST_TEST_THREADS", threads().to_string());
        }
        command.envs(self.variables.iter().cloned());
        if self.needs.contains(&Need::Binary) {
            command.env("RECOUNT_BIN", crate::built("debug", "recount")?);
        }
        Ok(())
    }
}

/// The variable that names the server, if the need is one.
fn variable(need: Need) -> Option<&'static str> {
    match need {
        Need::Postgres => Some(servers::DATABASE_URL),
        Need::Kafka => Some(servers::KAFKA),
        Need::Binary => None,
    }
}

/// Tests at a time: each has several connections to the one Postgres, and some start several processes.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: [Step; 4] = [Step::Fmt, Step::Checks, Step::Clippy, Step::Test];

    #[test]
    fn without_arguments_every_step_runs() {
        assert!(STEPS.iter().all(|step| is_wanted(*step, None, &[])));
    }

    #[test]
    fn selected_tests_run_without_the_other_steps() {
        let arguments = [OsString::from("-p"), OsString::from("recount-domain")];
        let wanted = STEPS.map(|step| is_wanted(step, None, &arguments));
        assert_eq!(wanted, [false, false, false, true]);
    }

    #[test]
    fn one_step_runs_alone() {
        let wanted = STEPS.map(|step| is_wanted(step, Some(Step::Clippy), &[]));
        assert_eq!(wanted, [false, false, true, false]);
    }
}
