//! Servers that an earlier, killed parent left behind: found through `/proc`, and stopped.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::time::Instant;

use crate::error::EmbeddedError;

/// How often a dying process is looked at.
const POLL: Duration = Duration::from_millis(50);

/// What `/proc` tells of a process; of another user's it tells nothing, and then it is not ours.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) name: String,
    pub(crate) working_dir: PathBuf,
    pub(crate) arguments: Vec<OsString>,
}

impl Process {
    pub(crate) fn is_living(pid: i32, ours: impl Fn(&Process) -> bool) -> bool {
        Process::read(pid).is_some_and(|process| ours(&process))
    }

    fn read(pid: i32) -> Option<Process> {
        let folder = Path::new("/proc").join(pid.to_string());
        let name = fs::read_to_string(folder.join("comm")).ok()?.trim_end().to_owned();
        let working_dir = fs::read_link(folder.join("cwd")).ok()?;
        let line = fs::read(folder.join("cmdline")).ok()?;
        let arguments =
            line.split(|byte| *byte == 0).map(|argument| OsString::from_vec(argument.to_vec())).collect();
        Some(Process { name, working_dir, arguments })
    }
}

/// All living processes that `ours` recognises. A zombie has no working folder any more, so it is not one.
pub(crate) fn find(ours: impl Fn(&Process) -> bool) -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| Process::is_living(*pid, &ours))
        .collect()
}

/// Is there a `/proc` to find anything in? Where not, nothing may be concluded from finding nothing.
pub(crate) fn can_look() -> bool {
    Path::new("/proc/self/cmdline").exists()
}

/// One step of stopping: whom to signal of those that are found, how, and how long to wait for all to go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) only: Option<i32>,
    pub(crate) signal: Signal,
    pub(crate) bound: Duration,
}

pub(crate) async fn stop(
    what: &'static str,
    data: &Path,
    ours: impl Fn(&Process) -> bool,
    steps: &[Step],
) -> Result<(), EmbeddedError> {
    let mut living = find(&ours);
    if !living.is_empty() {
        tracing::info!(processes = ?living, "stopping the {what} that an earlier run left behind");
    }
    for step in steps {
        let deadline = Instant::now() + step.bound;
        for pid in living.iter().filter(|pid| step.only.is_none_or(|only| only == **pid)) {
            // Looked at again right before: the id may have found a new owner since the list was made.
            if Process::is_living(*pid, &ours) {
                let _ = kill(Pid::from_raw(*pid), step.signal);
            }
        }
        while !living.is_empty() && Instant::now() < deadline {
            tokio::time::sleep(POLL).await;
            living = find(&ours);
        }
    }
    match living.first() {
        None => Ok(()),
        Some(pid) => Err(EmbeddedError::OrphanStays { what, pid: *pid, data: data.to_path_buf() }),
    }
}
