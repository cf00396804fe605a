//! Finds servers that an earlier, killed parent left behind, through `/proc`, and stops them.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::time::Instant;

use crate::error::EmbeddedError;

/// How often a dying process is checked.
const POLL: Duration = Duration::from_millis(50);

/// A process as `/proc` shows it. It shows nothing of other users' processes, which are then not ours.
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

/// A process that was recognised. While it dies, it cannot be recognised again: its first thread releases its memory and
/// its working folder while other threads may still hold files, locks and ports. So its start time identifies it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Found {
    pid: i32,
    /// In the kernel's ticks since the machine started.
    began: u64,
}

impl Found {
    fn is_there(self) -> bool {
        Life::of(self.pid).is_some_and(|life| life.began == self.began && !life.is_over)
    }
}

/// The part of a process's state that `/proc` shows until its very end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Life {
    began: u64,
    /// It has released everything that it held, and only waits to be reaped.
    is_over: bool,
}

impl Life {
    fn of(pid: i32) -> Option<Life> {
        Life::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// From `4711 (java) S 1 4711 …`, where the name may hold anything.
    fn parse(stat: &str) -> Option<Life> {
        let (_, after_name) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        let (state, threads, began) = (fields.first()?, fields.get(17)?, fields.get(19)?);
        // The first thread may have ended before the others.
        let is_over = ["Z", "X"].contains(state) && threads.parse::<u32>().ok()? <= 1;
        Some(Life { began: began.parse().ok()?, is_over })
    }
}

/// All living processes that `ours` recognises. A zombie has no working folder any more, so it is not among them.
fn find(ours: impl Fn(&Process) -> bool) -> Vec<Found> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some(Found { pid, began: Life::of(pid)?.began }))
        .filter(|found| Process::is_living(found.pid, &ours))
        .collect()
}

/// Whether the process runs. Without `/proc` it is assumed to.
pub(crate) fn is_alive(pid: u32) -> bool {
    let life = i32::try_from(pid).ok().and_then(Life::of);
    !can_look() || life.is_some_and(|life| !life.is_over)
}

/// Whether there is a `/proc`. Without it, finding no process proves nothing.
pub(crate) fn can_look() -> bool {
    Path::new("/proc/self/cmdline").exists()
}

/// One step of stopping: which of the found processes to signal, how, and how long to wait for all of them to end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) only: Option<i32>,
    pub(crate) signal: Signal,
    pub(crate) timeout: Duration,
}

pub(crate) async fn stop(
    what: &'static str,
    data: &Path,
    ours: impl Fn(&Process) -> bool,
    steps: &[Step],
) -> Result<(), EmbeddedError> {
    let mut living = find(&ours);
    if !living.is_empty() {
        let processes: Vec<i32> = living.iter().map(|found| found.pid).collect();
        tracing::info!(?processes, "stopping the {what} that an earlier run left behind");
    }
    for step in steps {
        let deadline = Instant::now() + step.timeout;
        for Found { pid, .. } in living.iter().filter(|found| step.only.is_none_or(|only| only == found.pid))
        {
            // Check again right before: the id may belong to another process since the list was made.
            if Process::is_living(*pid, &ours) {
                let _ = kill(Pid::from_raw(*pid), step.signal);
            }
        }
        while !living.is_empty() && Instant::now() < deadline {
            tokio::time::sleep(POLL).await;
            living.retain(|found| found.is_there());
            // A process may have started another one before it got the signal.
            let more = find(&ours).into_iter().filter(|found| !living.contains(found)).collect::<Vec<_>>();
            living.extend(more);
        }
    }
    match living.first() {
        None => Ok(()),
        Some(found) => Err(EmbeddedError::OrphanStays { what, pid: found.pid, data: data.to_path_buf() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(state: &str, threads: u32) -> String {
        format!(
            "4711 (ja) va) {state} 1 4711 4711 0 -1 4194560 1 0 0 0 5 3 0 0 20 0 {threads} 0 987654 9 0\n"
        )
    }

    #[test]
    fn a_process_lives_until_its_last_thread_has_ended() {
        for (state, threads, is_over) in [("S", 40, false), ("Z", 2, false), ("Z", 1, true), ("X", 0, true)] {
            assert_eq!(Life::parse(&stat(state, threads)), Some(Life { began: 987_654, is_over }), "{state}");
        }
        assert_eq!(Life::parse("4711 (java"), None);
    }

    #[test]
    fn a_process_is_gone_once_it_was_reaped() {
        let mut child = std::process::Command::new("sleep").arg("300").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let found = Found { pid, began: Life::of(pid).unwrap().began };
        assert!(found.is_there());
        assert!(!Found { began: found.began + 1, ..found }.is_there(), "the id belongs to another process");
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!found.is_there());
    }
}
