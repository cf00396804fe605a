//! The log file that a child writes to.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::error::EmbeddedError;

/// Looked at when a child starts: a log beyond this is moved aside, replacing the one moved before.
const SIZE_MAX: u64 = 16 * 1024 * 1024;

/// So many last lines are shown to the user when a child fails.
const TAIL_LINES: usize = 15;

pub(crate) fn rotate(path: &Path) -> Result<(), EmbeddedError> {
    let too_big = fs::metadata(path).is_ok_and(|found| found.len() > SIZE_MAX);
    if too_big {
        let old = path.with_extension("log.1");
        fs::rename(path, old).map_err(EmbeddedError::folder("move aside", path))?;
    }
    Ok(())
}

/// Both outputs of the command are appended to the log.
pub(crate) fn attach(command: &mut Command, path: &Path) -> Result<(), EmbeddedError> {
    let open = |path: &Path| -> std::io::Result<(File, File)> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        let twin = file.try_clone()?;
        Ok((file, twin))
    };
    let (out, err) = open(path).map_err(EmbeddedError::folder("open the log", path))?;
    command.stdin(Stdio::null()).stdout(out).stderr(err);
    Ok(())
}

pub(crate) fn tail(path: &Path) -> String {
    let Ok(file) = File::open(path) else {
        return String::new();
    };
    let mut last = VecDeque::with_capacity(TAIL_LINES + 1);
    for line in BufReader::new(file).split(b'\n').map_while(Result::ok) {
        last.push_back(format!("  {}", String::from_utf8_lossy(&line)));
        if last.len() > TAIL_LINES {
            last.pop_front();
        }
    }
    last.make_contiguous().join("\n")
}
