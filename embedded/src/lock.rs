//! The lock that gives a data folder to one process at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use crate::error::EmbeddedError;
use crate::orphans;

/// How long a copy of the lock's file may outlive the process that had the lock.
const COPY_TIMEOUT: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(20);

/// Held as long as this value lives. The kernel releases it when the process dies in any way. Children do not inherit it.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

impl Drop for Lock {
    /// Closing the file is not always enough: a child that another thread is just starting has a copy of it until it
    /// executes its own program, and the lock is held as long as there are copies.
    fn drop(&mut self) {
        // If this fails, the kernel unlocks when the last copy is closed.
        let _ = self.file.unlock();
    }
}

#[derive(Debug)]
pub(crate) enum Attempt {
    Acquired(Lock),
    /// Held by another process, with this id if it could be read.
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
            Ok(Attempt::Acquired(Lock { file }))
        }
        Err(TryLockError::WouldBlock) => {
            let mut content = String::new();
            let pid = file.read_to_string(&mut content).ok().and_then(|_| content.trim().parse().ok());
            Ok(Attempt::Taken(pid))
        }
        Err(TryLockError::Error(source)) => Err(EmbeddedError::folder("lock", path)(source)),
    }
}

/// Fails if a living process holds it. After a killed process, waits: a child that it was just starting has a copy of the
/// lock's file until it executes its own program.
pub(crate) async fn acquire(what: &'static str, path: &Path, data: &Path) -> Result<Lock, EmbeddedError> {
    let deadline = Instant::now() + COPY_TIMEOUT;
    loop {
        let pid = match try_acquire(path)? {
            Attempt::Acquired(lock) => return Ok(lock),
            Attempt::Taken(pid) => pid,
        };
        if pid.is_some_and(orphans::is_alive) || Instant::now() >= deadline {
            return Err(EmbeddedError::AlreadyRunning { what, data: data.to_path_buf(), pid });
        }
        tokio::time::sleep(POLL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_copy_of_the_file_in_a_starting_child_does_not_keep_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let lock = acquire("Postgres", &path, folder.path()).await.unwrap();
        let copy = lock.file.try_clone().unwrap();
        drop(lock);
        assert!(matches!(try_acquire(&path).unwrap(), Attempt::Acquired(_)));
        drop(copy);
    }

    #[tokio::test]
    async fn the_error_for_a_held_lock_names_its_holder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let _lock = acquire("Postgres", &path, folder.path()).await.unwrap();
        let holder = std::process::id();
        let refused = acquire("Postgres", &path, folder.path()).await.unwrap_err();
        assert!(
            matches!(refused, EmbeddedError::AlreadyRunning { pid: Some(pid), .. } if pid == holder),
            "{refused}"
        );
    }

    #[tokio::test]
    async fn acquiring_waits_for_a_copy_that_outlives_its_killed_holder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let copy = acquire("Postgres", &path, folder.path()).await.unwrap();
        let mut ended = std::process::Command::new("true").spawn().unwrap();
        ended.wait().unwrap();
        std::fs::write(&path, ended.id().to_string()).unwrap();

        let mut waiting = std::pin::pin!(acquire("Postgres", &path, folder.path()));
        tokio::time::timeout(Duration::from_millis(1), &mut waiting).await.unwrap_err();
        drop(copy);
        waiting.await.unwrap();
    }
}
