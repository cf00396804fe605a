//! The cluster's folder: created completely or not at all, and cleared of what a killed server left behind.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::Uid;

use super::binaries::Found;
use super::{USER, WHAT};
use crate::child::Child;
use crate::error::EmbeddedError;
use crate::folders;
use crate::launcher::Launcher;
use crate::orphans::{self, Process, Step};
use crate::output;

/// After SIGINT, the server rolls transactions back and writes a checkpoint.
const FAST_STOP_TIMEOUT: Duration = Duration::from_secs(30);
const QUIT_TIMEOUT: Duration = Duration::from_secs(5);
/// On an idle machine, a killed process ends at once.
const KILL_TIMEOUT: Duration = Duration::from_secs(30);

/// No process has this id.
const NOBODY: i32 = -1;

#[derive(Debug, Clone)]
pub(super) struct Cluster {
    data: PathBuf,
    pub(super) folder: PathBuf,
}

impl Cluster {
    pub(super) fn in_folder(data: &Path) -> Cluster {
        Cluster { data: data.to_path_buf(), folder: data.join("postgres") }
    }

    /// The major version of the cluster; `None` if there is no cluster.
    pub(super) fn version(&self) -> Result<Option<String>, EmbeddedError> {
        let file = self.folder.join("PG_VERSION");
        match fs::read_to_string(&file) {
            Ok(version) => Ok(Some(version.trim().to_owned())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(EmbeddedError::folder("read", file)(error)),
        }
    }

    /// The owner of the cluster. Fails if this process may not run it.
    pub(super) fn owner(&self) -> Result<Option<u32>, EmbeddedError> {
        let Ok(found) = fs::metadata(&self.folder) else {
            return Ok(None);
        };
        let (owner, you) = (found.uid(), Uid::effective().as_raw());
        if you != 0 && you != owner {
            return Err(EmbeddedError::OtherOwner { path: self.folder.clone(), owner, you });
        }
        Ok(Some(owner))
    }

    /// Runs `initdb` in a temporary folder, which gets its final name only when it is complete.
    pub(super) async fn make(
        &self,
        binaries: &Found,
        launcher: &Launcher,
        output_file: &Path,
        durable: bool,
    ) -> Result<(), EmbeddedError> {
        tracing::info!("making a Postgres {} cluster in {}", binaries.major, self.folder.display());
        let fresh = self.fresh();
        folders::remove_if_there(&fresh)?;
        folders::make_private(&fresh, launcher.owner())?;

        let program = binaries.initdb();
        let mut command = launcher.command(&program, Signal::SIGKILL);
        command.arg("-D").arg(&fresh).args(["-U", USER, "--encoding=UTF8", "--locale=C"]);
        // The server does not listen on TCP. If somebody changes that, TCP connections are still rejected.
        command.args(["--auth-local=trust", "--auth-host=reject", "--no-instructions"]);
        if !durable {
            command.arg("--no-sync");
        }
        command.env("LC_ALL", "C");
        output::attach(&mut command, output_file)?;
        let child = Child::spawn(command, Signal::SIGKILL).await;
        let child = child.map_err(|source| EmbeddedError::CannotRun { program, source, advice: "" })?;
        let exit = child.exited().await;
        if !exit.success() {
            return Err(EmbeddedError::Failed {
                what: "initdb",
                exit: exit.to_string(),
                output: output_file.to_path_buf(),
                tail: output::tail(output_file),
            });
        }
        let moved = fs::rename(&fresh, &self.folder)
            .and_then(|()| File::open(&self.data))
            .and_then(|folder| folder.sync_all());
        moved.map_err(EmbeddedError::folder("move the new cluster to", &self.folder))
    }

    /// The temporary folder of a new cluster.
    fn fresh(&self) -> PathBuf {
        self.data.join("postgres.new")
    }

    /// Stops every process that still runs on this cluster or creates it, and removes a leftover pid file. Call it only with
    /// the lock held: then no living process is responsible for those processes.
    pub(super) async fn clear(&self) -> Result<(), EmbeddedError> {
        let (folder, fresh) = (self.folder.clone(), self.fresh());
        // All processes of a server work in the folder of its cluster, also those that `initdb` starts.
        let ours = move |process: &Process| match process.name.as_str() {
            "postgres" => process.working_dir == folder || process.working_dir == fresh,
            "initdb" => process.arguments.iter().any(|argument| *argument == *fresh),
            _ => false,
        };
        let pid_file = self.folder.join("postmaster.pid");
        let postmaster = fs::read_to_string(&pid_file)
            .ok()
            .and_then(|content| content.lines().next().and_then(|line| line.trim().parse().ok()));
        let first = match postmaster {
            Some(pid) if Process::is_living(pid, &ours) => {
                Step { only: Some(pid), signal: Signal::SIGINT, timeout: FAST_STOP_TIMEOUT }
            }
            // Backends that lost their postmaster end by themselves, busy ones a little later.
            _ => Step { only: Some(NOBODY), signal: Signal::SIGINT, timeout: QUIT_TIMEOUT },
        };
        let steps = [
            first,
            Step { only: None, signal: Signal::SIGQUIT, timeout: QUIT_TIMEOUT },
            Step { only: None, signal: Signal::SIGKILL, timeout: KILL_TIMEOUT },
        ];
        orphans::stop(WHAT, &self.data, ours, &steps).await?;
        // The process id in it may belong to another process by now, which Postgres would take for a running server.
        if orphans::can_look() { folders::remove_if_there(&pid_file) } else { Ok(()) }
    }
}
