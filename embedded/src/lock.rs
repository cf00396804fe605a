//! One process at a time per data folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use crate::error::EmbeddedError;

/// Held as long as the value lives. The kernel frees it when the process dies, however it dies; children do
/// not inherit it.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

#[derive(Debug)]
pub(crate) enum Attempt {
    Acquired(Lock),
    /// Taken, by the process with this id if it could be read.
    Taken(Option<u32>),
}

pub(crate) fn try_acquire(path: &Path) -> Result<Attempt, EmbeddedError> {
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    let mut file = open.map_err(EmbeddedError::folder("open", path))?;
    match file.try_lock() {
        Ok(()) => {
            let written = file
                .set_len(0)
                .and_then(|()| file.rewind())
                .and_then(|()| writeln!(file, "{}", std::process::id()));
            written.map_err(EmbeddedError::folder("write", path))?;
            Ok(Attempt::Acquired(Lock { _file: file }))
        }
        Err(TryLockError::WouldBlock) => {
            let mut content = String::new();
            let pid = file.read_to_string(&mut content).ok().and_then(|_| content.trim().parse().ok());
            Ok(Attempt::Taken(pid))
        }
        Err(TryLockError::Error(source)) => Err(EmbeddedError::folder("lock", path)(source)),
    }
}

pub(crate) fn acquire(what: &'static str, path: &Path, data: &Path) -> Result<Lock, EmbeddedError> {
    match try_acquire(path)? {
        Attempt::Acquired(lock) => Ok(lock),
        Attempt::Taken(pid) => Err(EmbeddedError::AlreadyRunning { what, data: data.to_path_buf(), pid }),
    }
}
