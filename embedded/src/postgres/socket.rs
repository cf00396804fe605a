//! The folder of the unix socket. Its permissions are all the access control that the private server needs.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
use std::path::{Path, PathBuf};

use nix::unistd::Uid;
use sha2::{Digest, Sha256};

use crate::error::EmbeddedError;
use crate::folders;

/// Only part of the socket's file name: nothing listens on TCP.
pub(super) const PORT: u16 = 5432;

/// The kernel accepts 107 bytes on Linux and 103 elsewhere.
const PATH_BYTES_MAX: usize = 100;

/// Not the user's `$TMPDIR`: every process that uses the data folder has to find the same socket, and the name has to be
/// short.
const SHORT_FOLDER: &str = "/tmp";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Socket {
    folder: String,
    shortened: bool,
}

impl Socket {
    /// `run` in the data folder. If that path is too long, or not UTF-8 (which Postgres does not accept), a folder with a
    /// short name derived from it.
    pub(super) fn of(data: &Path) -> Socket {
        let near = data.join("run");
        match near.to_str() {
            Some(folder) if folder.len() + file_name().len() < PATH_BYTES_MAX => {
                Socket { folder: folder.to_owned(), shortened: false }
            }
            _ => {
                let hash = Sha256::digest(data.as_os_str().as_encoded_bytes());
                let name: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
                Socket { folder: format!("{SHORT_FOLDER}/recount-{name}"), shortened: true }
            }
        }
    }

    pub(super) fn path(&self) -> PathBuf {
        Path::new(&self.folder).join(file_name())
    }

    /// The value of `unix_socket_directories`, which is a list of folders.
    pub(super) fn setting(&self) -> String {
        format!("\"{}\"", self.folder.replace('"', "\"\""))
    }

    pub(super) fn url(&self, user: &str, database: &str) -> String {
        let (folder, database) = (encode(&self.folder), encode(database));
        format!("postgres://{user}@localhost:{PORT}/{database}?host={folder}")
    }

    /// Creates the folder, and removes what a killed server left in it.
    pub(super) fn prepare(&self, owner: Option<(u32, u32)>) -> Result<(), EmbeddedError> {
        let folder = Path::new(&self.folder);
        if self.shortened {
            create_in_shared_folder(folder, owner)?;
        } else {
            folders::make_private(folder, owner)?;
        }
        folders::remove_if_there(&self.path())?;
        folders::remove_if_there(&folder.join(format!("{}.lock", file_name())))
    }

    pub(super) fn remove_if_shortened(&self) {
        if self.shortened {
            // Best effort: the next start uses a leftover folder again.
            let _ = fs::remove_dir(&self.folder);
        }
    }
}

/// In a folder where every user can create folders, an existing one is used only if it is like the one that we would
/// create: ours, and private.
fn create_in_shared_folder(folder: &Path, owner: Option<(u32, u32)>) -> Result<(), EmbeddedError> {
    let failed = || EmbeddedError::folder("make the folder", folder);
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => {
            if let Some((uid, gid)) = owner {
                chown(folder, Some(uid), Some(gid)).map_err(failed())?;
            }
            Ok(())
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let found = fs::symlink_metadata(folder).map_err(failed())?;
            let expected = owner.map_or(Uid::effective().as_raw(), |(uid, _)| uid);
            if found.is_dir() && found.uid() == expected && found.mode() & 0o077 == 0 {
                return Ok(());
            }
            Err(EmbeddedError::SocketFolder { path: folder.to_path_buf() })
        }
        Err(error) => Err(failed()(error)),
    }
}

fn file_name() -> String {
    format!(".s.PGSQL.{PORT}")
}

fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_in_the_data_folder_if_its_path_is_short_enough() {
        let socket = Socket::of(Path::new("/srv/books & more"));
        assert_eq!(socket.path(), Path::new("/srv/books & more/run/.s.PGSQL.5432"));
        assert_eq!(
            socket.url("recount", "a/b"),
            "postgres://recount@localhost:5432/a%2Fb?host=%2Fsrv%2Fbooks%20%26%20more%2Frun"
        );
    }

    #[test]
    fn a_long_data_folder_gets_a_short_socket_of_its_own() {
        let long = |name: &str| Socket::of(&Path::new("/srv").join("x".repeat(90)).join(name));
        assert!(long("a").path().as_os_str().len() < PATH_BYTES_MAX);
        assert_eq!(long("a"), long("a"));
        assert_ne!(long("a"), long("b"));
    }
}
