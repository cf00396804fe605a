//! The server process on a cluster, and the lock on its data folder.

use std::ffi::OsString;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::Instant;

use super::binaries::{self, Found};
use super::cluster::Cluster;
use super::ready::{self, Answer};
use super::socket::{PORT, Socket};
use super::{Options, WHAT};
use crate::child::{Child, Exit};
use crate::error::EmbeddedError;
use crate::launcher::Launcher;
use crate::lock::Lock;
use crate::output;

/// How long a server may stay silent.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(60);

/// How long it may answer that it is recovering: replaying [`max_wal_size`](SETTINGS) on a slow disk takes minutes, and
/// after a kill it would have to start over.
const RECOVERY_TIMEOUT: Duration = Duration::from_secs(30 * 60);

const REPORT_INTERVAL: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(20);

/// After a stop that took too long: the time to react to SIGQUIT, and then the time to be gone after SIGKILL.
const QUIT_TIMEOUT: Duration = Duration::from_secs(5);
const KILL_TIMEOUT: Duration = Duration::from_secs(30);

/// Durable, and sized for many small transactions on a machine that it shares with its clients.
const SETTINGS: [(&str, &str); 15] = [
    ("listen_addresses", ""),
    ("unix_socket_permissions", "0700"),
    ("max_connections", "200"),
    ("shared_buffers", "256MB"),
    ("fsync", "on"),
    ("synchronous_commit", "on"),
    ("full_page_writes", "on"),
    ("max_wal_size", "2GB"),
    ("min_wal_size", "256MB"),
    ("checkpoint_timeout", "15min"),
    // Compiling plans takes longer than our short statements.
    ("jit", "off"),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
    ("log_line_prefix", "%m [%p] "),
    ("logging_collector", "off"),
];

#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    plan: Plan,
    /// Declared last, so that the child is told to stop before the folder is free.
    _lock: Lock,
}

/// All that is needed to start it, and to start it again.
#[derive(Debug)]
struct Plan {
    options: Options,
    data: PathBuf,
    socket: Socket,
}

impl Server {
    pub(super) async fn start(options: Options, data: PathBuf, lock: Lock) -> Result<Server, EmbeddedError> {
        let plan = Plan { options, socket: Socket::of(&data), data };
        let child = plan.launch().await?;
        Ok(Server { child, plan, _lock: lock })
    }

    pub(super) async fn restart(&mut self) -> Result<(), EmbeddedError> {
        // Should it still live, then as an orphan: stopped first, like any other.
        self.child = self.plan.launch().await?;
        Ok(())
    }

    pub(super) fn socket(&self) -> &Socket {
        &self.plan.socket
    }

    pub(super) fn pid(&self) -> i32 {
        self.child.pid()
    }

    pub(super) fn exited(&self) -> impl Future<Output = Exit> + Send + 'static + use<> {
        self.child.exited()
    }

    pub(super) async fn stop(self, timeout: Duration) -> Result<(), EmbeddedError> {
        if self.child.has_exited() {
            return Ok(());
        }
        let escalation =
            [(Signal::SIGINT, timeout), (Signal::SIGQUIT, QUIT_TIMEOUT), (Signal::SIGKILL, KILL_TIMEOUT)];
        let sufficed = self.child.stop(&escalation).await;
        self.plan.socket.remove_if_shortened();
        match sufficed {
            Some(0) => Ok(()),
            _ => Err(EmbeddedError::StoppedHard { what: WHAT, timeout }),
        }
    }
}

impl Plan {
    async fn launch(&self) -> Result<Child, EmbeddedError> {
        let cluster = Cluster::in_folder(&self.data);
        let owner = cluster.owner()?;
        cluster.clear().await?;
        let version = cluster.version()?;
        let launcher = Launcher::unprivileged(owner)?.reaching(&self.data)?;
        let binaries = binaries::choose(&self.options, version.as_deref(), &launcher).await?;
        let output_file = output_path(&self.data);
        output::rotate(&output_file)?;

        if version.is_none() {
            cluster.make(&binaries, &launcher, &output_file, self.is_durable()).await?;
        } else if let Some(owner) = launcher.owner() {
            crate::folders::hand_over(&cluster.folder, owner)?;
        }
        self.socket.prepare(launcher.owner())?;

        let mut command = self.command(&cluster, &binaries, &launcher);
        output::attach(&mut command, &output_file)?;
        let child = Child::spawn(command, Signal::SIGINT).await.map_err(|source| {
            EmbeddedError::CannotRun { program: binaries.postgres(), source, advice: "" }
        })?;
        self.wait_until_ready(&child, &output_file).await?;
        tracing::info!("Postgres {} runs on {}", binaries.major, cluster.folder.display());
        Ok(child)
    }

    /// If its parent dies, the server gets SIGINT, which asks it for a fast and orderly stop.
    fn command(&self, cluster: &Cluster, binaries: &Found, launcher: &Launcher) -> Command {
        let mut command = launcher.command(&binaries.postgres(), Signal::SIGINT);
        command.arg("-D").arg(&cluster.folder);
        let ours = SETTINGS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let places = [
            ("unix_socket_directories".to_owned(), self.socket.setting()),
            ("port".to_owned(), PORT.to_string()),
        ];
        // The last value of a setting wins.
        for (name, value) in ours.chain(self.options.settings.iter().cloned()).chain(places) {
            command.arg("-c").arg(OsString::from(format!("{name}={value}")));
        }
        for (name, _) in std::env::vars_os() {
            // These variables are for clients, but the server reads some of them as well.
            if name.as_encoded_bytes().starts_with(b"PG") {
                command.env_remove(name);
            }
        }
        command.env("LC_ALL", "C");
        command
    }

    fn is_durable(&self) -> bool {
        !self.options.settings.iter().any(|(name, value)| name == "fsync" && value == "off")
    }

    async fn wait_until_ready(&self, child: &Child, output_file: &Path) -> Result<(), EmbeddedError> {
        let started = Instant::now();
        let mut report_at = started + REPORT_INTERVAL;
        let mut timeout = SILENCE_TIMEOUT;
        loop {
            match ready::ask(&self.socket).await {
                Answer::Ready => return Ok(()),
                Answer::NotNow => timeout = RECOVERY_TIMEOUT,
                Answer::Silent => {}
            }
            let output = output_file.to_path_buf();
            if child.has_exited() {
                let exit = child.exited().await.to_string();
                return Err(EmbeddedError::Failed { what: WHAT, exit, tail: output::tail(&output), output });
            }
            if started.elapsed() > timeout {
                return Err(EmbeddedError::NotReady {
                    what: WHAT,
                    timeout,
                    tail: output::tail(&output),
                    output,
                });
            }
            if Instant::now() > report_at {
                let seconds = started.elapsed().as_secs();
                tracing::info!(
                    "Postgres is still starting ({seconds} s); after a hard stop it recovers first"
                );
                report_at += REPORT_INTERVAL;
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

pub(super) fn output_path(data: &Path) -> PathBuf {
    data.join("postgres.log")
}
