//! One step: a cargo command with all that it starts, ended together.

use std::ffi::OsStr;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(crate::repository()).stdin(Stdio::null());
    // The cargo that runs this program set them for this program alone.
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"CARGO_PKG_") || name == "CARGO_MANIFEST_DIR" {
            command.env_remove(name);
        }
    }
    command
}

/// For the output that is still in the pipe when the command has ended.
const LAST_LINES_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs the command, shows its standard output, gives each line of it to `see`, and says how long it took.
pub(crate) async fn run(name: &str, mut command: Command, mut see: impl FnMut(&str)) -> anyhow::Result<()> {
    println!("\n== {name}: {}", line(&command));
    let started = Instant::now();
    command.stdout(Stdio::piped()).process_group(0);
    let mut child = command.spawn().with_context(|| format!("cannot run {}", line(&command)))?;
    let group = Group::of(&child);
    let output = child.stdout.take().context("the output was asked for")?;
    let mut lines = BufReader::new(output).split(b'\n');
    let mut show = |bytes: Vec<u8>| {
        let text = String::from_utf8_lossy(&bytes);
        println!("{text}");
        see(&text);
    };
    let status = loop {
        tokio::select! {
            biased;
            next = lines.next_segment() => match next? {
                Some(bytes) => show(bytes),
                None => break child.wait().await?,
            },
            ended = child.wait() => break ended?,
        }
    };
    // End the processes that it left behind. One that left the group may still hold the pipe; do not wait for it.
    drop(group);
    while let Ok(Ok(Some(bytes))) = tokio::time::timeout(LAST_LINES_TIMEOUT, lines.next_segment()).await {
        show(bytes);
    }
    if !status.success() {
        bail!("{name} failed after {:.1?}", started.elapsed());
    }
    println!("== {name}: ok in {:.1?}", started.elapsed());
    Ok(())
}

/// The process group of a command. Dropping this value kills the processes that are left in it, when the command has ended
/// or the run is interrupted.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Group {
        Group(child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw))
    }

    fn kill(&self) {
        if let Some(group) = self.0 {
            // Usually the group is empty. While it is not, no other group can get its number.
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

fn line(command: &Command) -> String {
    let command = command.as_std();
    let program = std::path::Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}
