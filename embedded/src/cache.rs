//! The folder for downloaded programs, shared by runs and data folders.

use std::env;
use std::path::{Path, PathBuf};

/// `$RECOUNT_CACHE`, or else `$XDG_CACHE_HOME/recount`, `$HOME/.cache/recount`, or `cache` in the data folder.
pub fn default_cache_dir(data_dir: &Path) -> PathBuf {
    let folder = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    folder("RECOUNT_CACHE")
        .or_else(|| folder("XDG_CACHE_HOME").map(|cache| cache.join("recount")))
        .or_else(|| folder("HOME").map(|home| home.join(".cache").join("recount")))
        .unwrap_or_else(|| data_dir.join("cache"))
}
