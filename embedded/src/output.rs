//! The file that takes the output of a child process.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::error::EmbeddedError;

/// A larger file is moved aside when a child starts, replacing the one that was moved aside before.
const SIZE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The number of last lines that the user sees when a child fails.
const TAIL_LINES: usize = 15;

pub(crate) fn rotate(path: &Path) -> Result<(), EmbeddedError> {
    let too_big = fs::metadata(path).is_ok_and(|found| found.len() > SIZE_BYTES_MAX);
    if too_big {
        let old = path.with_extension("log.1");
        fs::rename(path, old).map_err(EmbeddedError::folder("move aside", path))?;
    }
    Ok(())
}

/// Appends standard output and standard error of the command to the file.
pub(crate) fn attach(command: &mut Command, path: &Path) -> Result<(), EmbeddedError> {
    let open = |path: &Path| -> std::io::Result<(File, File)> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        let twin = file.try_clone()?;
        Ok((file, twin))
    };
    let (out, err) = open(path).map_err(EmbeddedError::folder("open the output file", path))?;
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
