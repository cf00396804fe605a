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
    // Set by the cargo that runs us, for us alone.
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"CARGO_PKG_") || name == "CARGO_MANIFEST_DIR" {
            command.env_remove(name);
        }
    }
    command
}

/// For what is still in the pipe when the command has ended.
const LAST_LINES_BOUND: Duration = Duration::from_secs(5);

/// Runs the command, its standard output seen line by line as well as shown, and says how long it took.
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
    // Whatever it left behind goes now. Should something have left the group and hold the pipe, it is not
    // waited for.
    drop(group);
    while let Ok(Ok(Some(bytes))) = tokio::time::timeout(LAST_LINES_BOUND, lines.next_segment()).await {
        show(bytes);
    }
    if !status.success() {
        bail!("{name} failed after {:.1?}", started.elapsed());
    }
    println!("== {name}: ok in {:.1?}", started.elapsed());
    Ok(())
}

/// The process group of a command. Whatever is left of it is killed with this value: the command ended, or
/// the run was interrupted.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Group {
        Group(child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw))
    }

    fn kill(&self) {
        if let Some(group) = self.0 {
            // Nobody left is the usual case. The group's number stays taken as long as somebody is.
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
    let words = std::iter::once(OsStr::new("cargo")).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}
