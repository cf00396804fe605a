//! The service under test: the `recount` program as a child process.

use std::ffi::OsStr;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::time::Instant;
use uuid::Uuid;

use crate::http::Connection;
use crate::requests::Requests;

/// The admin key of every run. Its database exists only during the run, on a socket that only the current user can
/// open.
pub(crate) const KEY: &str = "rk_bench_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";

const START_TIMEOUT: Duration = Duration::from_secs(60);
const STOP_TIMEOUT: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Last lines of output that are shown if the service does not start.
const TAIL_LINES_MAX: usize = 15;

/// The role that the program runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Only the write side.
    CommandService,
    /// Every role in one process, with the projector keeping the read models up to date.
    Up,
}

/// A running service. Dropping this value kills it.
#[derive(Debug)]
pub(crate) struct Service {
    child: Child,
    pid: u32,
    address: SocketAddr,
}

/// The program and its database.
#[derive(Debug)]
pub(crate) struct Program<'a> {
    pub(crate) path: &'a Path,
    pub(crate) database_url: &'a str,
    pub(crate) output_file: PathBuf,
}

impl Program<'_> {
    /// Brings the schemas up to date.
    pub(crate) async fn migrate(&self) -> anyhow::Result<()> {
        let ended = self.command(["migrate"])?.status().await;
        if !ended.with_context(|| self.cannot_run())?.success() {
            bail!("`recount migrate` failed:\n{}", self.output_tail());
        }
        Ok(())
    }

    /// Starts the service and waits until it is ready.
    pub(crate) async fn serve(&self, role: Role) -> anyhow::Result<Service> {
        let address = free_address()?;
        let role = match role {
            Role::CommandService => "command-service",
            Role::Up => "up",
        };
        let child = self
            .command([role, "--listen", &address.to_string()])?
            .spawn()
            .with_context(|| self.cannot_run())?;
        let pid = child.id().context("the service ended at once")?;
        let mut service = Service { child, pid, address };
        let deadline = Instant::now() + START_TIMEOUT;
        while !service.is_ready().await {
            if service.child.try_wait()?.is_some() || Instant::now() > deadline {
                bail!("`recount {role}` did not become ready:\n{}", self.output_tail());
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        Ok(service)
    }

    fn command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> anyhow::Result<Command> {
        let output = File::options().append(true).create(true).open(&self.output_file)?;
        let mut command = Command::new(self.path);
        // Ignore settings that the user made for another Recount.
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"RECOUNT_") {
                command.env_remove(name);
            }
        }
        command
            .args(args)
            .env("RECOUNT_DATABASE_URL", self.database_url)
            .env("RECOUNT_ADMIN_KEY", KEY)
            // A benchmark may measure a server without fsync; its report says so.
            .env("RECOUNT_ALLOW_UNSAFE_DATABASE", "true")
            // The user sees its error messages, without backtraces.
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            // A Ctrl-C at the terminal reaches only this process, which then stops its children in order.
            .process_group(0)
            .kill_on_drop(true);
        Ok(command)
    }

    fn cannot_run(&self) -> String {
        format!("cannot run {}; build it with `cargo build --release`", self.path.display())
    }

    fn output_tail(&self) -> String {
        let output = std::fs::read_to_string(&self.output_file).unwrap_or_default();
        let lines: Vec<&str> = output.lines().collect();
        lines[lines.len().saturating_sub(TAIL_LINES_MAX)..].join("\n")
    }
}

impl Service {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    async fn is_ready(&self) -> bool {
        let Ok(mut connection) = Connection::open(self.address).await else {
            return false;
        };
        let mut requests = Requests::new("GET", self.address, "/readyz", KEY);
        let answer = connection.ask(requests.write(Uuid::nil(), |_| {})).await;
        answer.is_ok_and(|answer| answer.status == 200)
    }

    /// Stops it after it has finished the requests in progress.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        kill(Pid::from_raw(i32::try_from(self.pid)?), Signal::SIGTERM).context("the service has ended")?;
        let status = tokio::time::timeout(STOP_TIMEOUT, self.child.wait()).await;
        let status = status.context("the service did not stop in time")??;
        if !status.success() {
            bail!("the service ended with {status}");
        }
        Ok(())
    }
}

/// A loopback address on which nothing listens.
fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
