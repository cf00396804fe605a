//! Folders and their owners: create them, check who can enter them, hand them to the user that the server runs as.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown, lchown};
use std::path::{Path, PathBuf};

use crate::error::EmbeddedError;

/// Creates the data folder and its parents if they are missing, and returns its canonical path, which is the one that
/// `/proc` shows for processes that run in it.
pub(crate) fn prepare(path: &Path) -> Result<PathBuf, EmbeddedError> {
    fs::create_dir_all(path).map_err(EmbeddedError::folder("make the folder", path))?;
    path.canonicalize().map_err(EmbeddedError::folder("find the folder", path))
}

/// Creates a folder that only its owner can enter. An existing one keeps its content.
pub(crate) fn make_private(path: &Path, owner: Option<(u32, u32)>) -> Result<(), EmbeddedError> {
    let made = fs::DirBuilder::new().mode(0o700).recursive(true).create(path);
    made.map_err(EmbeddedError::folder("make the folder", path))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
        .map_err(EmbeddedError::folder("set the rights of", path))?;
    if let Some((uid, gid)) = owner {
        chown(path, Some(uid), Some(gid)).map_err(EmbeddedError::folder("change the owner of", path))?;
    }
    Ok(())
}

/// Gives the folder and everything in it to the owner, unless the folder already belongs to that user.
pub(crate) fn hand_over(path: &Path, (uid, gid): (u32, u32)) -> Result<(), EmbeddedError> {
    let failed = |path: &Path| EmbeddedError::folder("change the owner of", path.to_path_buf());
    let found = fs::symlink_metadata(path).map_err(failed(path))?;
    if found.uid() == uid {
        return Ok(());
    }
    if found.is_dir() {
        for entry in fs::read_dir(path).map_err(failed(path))? {
            hand_over(&entry.map_err(failed(path))?.path(), (uid, gid))?;
        }
    }
    // The folder itself comes last, so that an interrupted run does not look like a finished one.
    lchown(path, Some(uid), Some(gid)).map_err(failed(path))
}

pub(crate) fn remove_if_there(path: &Path) -> Result<(), EmbeddedError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(_) => return Ok(()),
    };
    removed.map_err(EmbeddedError::folder("remove", path))
}

/// The first folder on the way to `path` that a user without supplementary groups cannot enter.
pub(crate) fn first_closed_to(path: &Path, uid: u32, gid: u32) -> Option<PathBuf> {
    let mut folders: Vec<&Path> = path.ancestors().collect();
    folders.reverse();
    folders.into_iter().find(|folder| !may_pass(folder, uid, gid)).map(Path::to_path_buf)
}

fn may_pass(folder: &Path, uid: u32, gid: u32) -> bool {
    let Ok(found) = fs::metadata(folder) else {
        return true; // It does not exist yet, so this process will create it.
    };
    let bit = if found.uid() == uid {
        0o100
    } else if found.gid() == gid {
        0o010
    } else {
        0o001
    };
    found.mode() & bit != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outermost_closed_folder_is_named() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("open").join("inner");
        fs::create_dir_all(&inner).unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let owner = fs::metadata(root.path()).unwrap();

        let (stranger, strange_group) = (owner.uid() + 4711, owner.gid() + 4711);
        // Where the folder for temporary files is in a closed one, it is that.
        let above = first_closed_to(root.path().parent().unwrap(), stranger, strange_group);
        let outermost = above.unwrap_or_else(|| root.path().to_path_buf());
        assert_eq!(first_closed_to(&inner, stranger, strange_group), Some(outermost));
        assert_eq!(first_closed_to(&inner, owner.uid(), owner.gid()), None);
    }
}
