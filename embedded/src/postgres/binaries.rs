//! Finds the `postgres` and `initdb` to run.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Binaries, Options};
use crate::error::EmbeddedError;
use crate::launcher::Launcher;

/// The oldest Postgres that Recount supports.
pub(super) const OLDEST_MAJOR: u32 = 15;

/// The folders where packages install each major version in a subfolder.
const PACKAGED: [&str; 4] =
    ["/usr/lib/postgresql", "/usr/lib64/postgresql", "/usr/local/lib/postgresql", "/opt/postgresql"];

/// The cache of root for programs that other users must be able to run.
const SHARED_CACHE: &str = "/var/cache/recount";

/// A folder with both programs in the same version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) folder: PathBuf,
    pub(super) major: u32,
}

impl Found {
    pub(super) fn postgres(&self) -> PathBuf {
        self.folder.join("postgres")
    }

    pub(super) fn initdb(&self) -> PathBuf {
        self.folder.join("initdb")
    }
}

/// Chooses binaries for a cluster of the given version, or of any supported version if there is no cluster yet.
pub(super) async fn choose(
    options: &Options,
    cluster: Option<&str>,
    launcher: &Launcher,
) -> Result<Found, EmbeddedError> {
    let cache = cache_for(&options.cache_dir, launcher);
    let major = cluster.map(|version| version.parse::<u32>().unwrap_or_default());
    let fits = |found: &Found| match major {
        Some(major) => found.major == major,
        None => found.major >= OLDEST_MAJOR,
    };
    let mut candidates = match &options.binaries {
        Binaries::In(folder) => vec![given(folder, launcher)?],
        Binaries::FindOrFetch => [of_machine(), of_cache(cache)].concat(),
        Binaries::Fetch => of_cache(cache),
    };
    candidates.retain(|found| launcher.may_pass(&found.folder).is_ok());
    if let Some(found) = candidates.iter().find(|found| fits(found)) {
        return Ok(found.clone());
    }
    if major.is_some_and(|major| major < OLDEST_MAJOR) || matches!(options.binaries, Binaries::In(_)) {
        return Err(none_fits(options, cluster, &candidates, String::new()));
    }
    let fetched = fetch(cache, major).await;
    let found = fetched.map_err(|reason| none_fits(options, cluster, &candidates, reason))?;
    launcher.may_pass(&found.folder)?;
    Ok(found)
}

/// The user's cache, unless the server, which does not run as root, could not reach programs in it.
fn cache_for<'a>(cache: &'a Path, launcher: &Launcher) -> &'a Path {
    if launcher.may_pass(cache).is_ok() { cache } else { Path::new(SHARED_CACHE) }
}

fn given(folder: &Path, launcher: &Launcher) -> Result<Found, EmbeddedError> {
    let bad = |reason| EmbeddedError::BadBinaries { folder: folder.to_path_buf(), reason };
    let found = probe(folder).map_err(bad)?;
    launcher.may_pass(&found.folder)?;
    Ok(found)
}

#[cfg(feature = "fetch")]
async fn fetch(cache: &Path, major: Option<u32>) -> Result<Found, String> {
    let fetched = super::fetch::fetch(cache, major.unwrap_or(super::fetch::MAJOR)).await;
    let folder = fetched.map_err(|error| format!(", and could not fetch one: {error}"))?;
    probe(&folder).map_err(|reason| format!(", and the fetched one does not run here: {reason}"))
}

#[cfg(not(feature = "fetch"))]
#[expect(clippy::unused_async, reason = "the variant with the feature `fetch` awaits")]
async fn fetch(_cache: &Path, _major: Option<u32>) -> Result<Found, String> {
    Err(", and this build cannot fetch one (feature `fetch`)".to_owned())
}

fn none_fits(options: &Options, cluster: Option<&str>, found: &[Found], fetch: String) -> EmbeddedError {
    let Some(cluster) = cluster else {
        let looked = format!("PATH and {}", PACKAGED.join(", "));
        return EmbeddedError::NoPostgres { looked, fetch };
    };
    let mut majors: Vec<String> = found.iter().map(|found| format!("Postgres {}", found.major)).collect();
    majors.dedup();
    let machine = if majors.is_empty() { "no Postgres".to_owned() } else { majors.join(" and ") };
    let data = options.data_dir.clone();
    EmbeddedError::OtherVersion { data, cluster: cluster.to_owned(), found: format!("{machine}{fetch}") }
}

/// Those on PATH in its order, then the packaged ones, newest first.
fn of_machine() -> Vec<Found> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = env::split_paths(&path).filter(|folder| folder.is_absolute()).collect();
    let mut packaged: Vec<Found> = PACKAGED
        .iter()
        .flat_map(|root| children(Path::new(root)))
        .filter_map(|folder| probe(&folder.join("bin")).ok())
        .collect();
    packaged.sort_by_key(|found| std::cmp::Reverse(found.major));
    folders.dedup();
    let mut found: Vec<Found> = folders.iter().filter_map(|folder| probe(folder).ok()).collect();
    found.append(&mut packaged);
    found
}

fn of_cache(cache: &Path) -> Vec<Found> {
    let is_fetched = |folder: &PathBuf| {
        folder.file_name().and_then(|name| name.to_str()).is_some_and(|name| {
            name.strip_prefix("postgres-").is_some_and(|version| version.starts_with(char::is_numeric))
        })
    };
    let mut found: Vec<Found> = children(cache)
        .into_iter()
        .filter(is_fetched)
        .filter_map(|folder| probe(&folder.join("bin")).ok())
        .collect();
    found.sort_by_key(|found| std::cmp::Reverse(found.major));
    found
}

fn children(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// A lone `postgres` (a wrapper, say) is of no use: both programs must be there, run, and be of one version.
fn probe(folder: &Path) -> Result<Found, String> {
    let server = major_of(&folder.join("postgres"))?;
    let initdb = major_of(&folder.join("initdb"))?;
    if server != initdb {
        return Err(format!("`postgres` is of version {server} and `initdb` of {initdb}"));
    }
    let folder = folder.canonicalize().map_err(|error| error.to_string())?;
    Ok(Found { folder, major: server })
}

fn major_of(program: &Path) -> Result<u32, String> {
    let name = program.display();
    if !program.is_file() {
        return Err(format!("{name} is not there"));
    }
    let output =
        Command::new(program).arg("--version").output().map_err(|error| format!("{name}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    parse_major(&text).ok_or_else(|| {
        let complaint = String::from_utf8_lossy(&output.stderr);
        format!("`{name} --version` does not say its version: {} {}", text.trim(), complaint.trim())
    })
}

/// From `postgres (PostgreSQL) 17.6 (Debian 17.6-1)`.
fn parse_major(text: &str) -> Option<u32> {
    let version = text.split_once("(PostgreSQL) ")?.1;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn major_versions_are_read_from_what_the_programs_say() {
        assert_eq!(parse_major("postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)\n"), Some(15));
        assert_eq!(parse_major("initdb (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(parse_major("not a database\n"), None);
    }

    #[test]
    fn a_lone_postgres_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("postgres"), "#!/bin/sh\n").unwrap();
        assert!(probe(folder.path()).is_err());
    }
}
