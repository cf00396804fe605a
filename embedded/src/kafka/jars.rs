//! The jars: downloaded by Maven, and used only if they are exactly the ones pinned here.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use sha2::{Digest, Sha256};

use super::run;
use crate::error::EmbeddedError;
use crate::folders;
use crate::launcher::{Launcher, find_program};

pub(super) const VERSION: &str = "4.1.0";

const POM: &str = include_str!("../../kafka/pom.xml");

/// Lines of SHA-256, size in bytes and file name.
const PINNED: &str = include_str!("../../kafka/jars.txt");

/// The class path of exactly the pinned jars, which are downloaded if they are not in the cache.
pub(super) async fn class_path(
    cache: &Path,
    launcher: &Launcher,
    output_file: &Path,
) -> Result<OsString, EmbeddedError> {
    let home = cache.join(format!("kafka-{VERSION}"));
    if home.exists() {
        check(&home, &has_size)?;
    } else {
        fetch(cache, &home, launcher, output_file).await?;
    }
    let mut class_path = OsString::new();
    for jar in pinned() {
        if !class_path.is_empty() {
            class_path.push(":");
        }
        class_path.push(libs(&home).join(jar.name));
    }
    Ok(class_path)
}

/// Downloads to a temporary folder, which gets its final name only when it is complete and checked.
async fn fetch(
    cache: &Path,
    home: &Path,
    launcher: &Launcher,
    output_file: &Path,
) -> Result<(), EmbeddedError> {
    let maven = find_program("mvn").ok_or(EmbeddedError::Missing {
        what: "Maven (to fetch Apache Kafka)",
        install: "apt install maven",
    })?;
    tracing::info!("fetching Apache Kafka {VERSION} (43 MB) with Maven into {}", home.display());
    fs::create_dir_all(cache).map_err(EmbeddedError::folder("make the cache folder", cache))?;
    let staging = cache.join(format!("kafka.{}.new", std::process::id()));
    folders::remove_if_there(&staging)?;
    fs::create_dir(&staging).map_err(EmbeddedError::folder("make the folder", &staging))?;
    let pom = staging.join("pom.xml");
    fs::write(&pom, POM).map_err(EmbeddedError::folder("write", &pom))?;

    let mut command = launcher.command(&maven, Signal::SIGKILL);
    command.current_dir(&staging).args(["-q", "-B", "dependency:copy-dependencies"]);
    command.args(["-DincludeScope=runtime", "-DoutputDirectory=libs"]);
    run("fetching Apache Kafka with Maven", command, &maven, output_file).await?;
    check(&staging, &has_sum)?;

    if let Err(error) = fs::rename(&staging, home)
        && !home.exists()
    {
        return Err(EmbeddedError::folder("move the fetched Kafka to", home)(error));
    }
    // Another process may have been faster.
    folders::remove_if_there(&staging)
}

#[derive(Debug)]
struct Jar {
    sum: &'static str,
    size: u64,
    name: &'static str,
}

fn pinned() -> impl Iterator<Item = Jar> {
    PINNED.lines().map(|line| {
        let mut words = line.split_whitespace();
        let (sum, size, name) = (words.next(), words.next(), words.next());
        let size = size.and_then(|size| size.parse().ok());
        sum.zip(size)
            .zip(name)
            .map(|((sum, size), name)| Jar { sum, size, name })
            .expect("a test reads the list that is compiled in")
    })
}

fn libs(home: &Path) -> PathBuf {
    home.join("libs")
}

fn check(home: &Path, matches: &dyn Fn(&Path, &Jar) -> Result<(), String>) -> Result<(), EmbeddedError> {
    for jar in pinned() {
        let path = libs(home).join(jar.name);
        matches(&path, &jar).map_err(|reason| EmbeddedError::WrongSum {
            path,
            folder: home.to_path_buf(),
            reason,
        })?;
    }
    Ok(())
}

/// Enough once the checksums were right: it finds files that were truncated or removed.
fn has_size(path: &Path, jar: &Jar) -> Result<(), String> {
    let found = fs::metadata(path).map_err(|error| error.to_string())?;
    if found.len() == jar.size {
        return Ok(());
    }
    Err(format!("it has {} bytes instead of {}", found.len(), jar.size))
}

fn has_sum(path: &Path, jar: &Jar) -> Result<(), String> {
    let mut hash = Sha256::new();
    let mut file = File::open(path).map_err(|error| error.to_string())?;
    std::io::copy(&mut file, &mut Hashing(&mut hash)).map_err(|error| error.to_string())?;
    let sum: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if sum == jar.sum {
        return Ok(());
    }
    Err(format!("its SHA-256 is {sum} instead of {}", jar.sum))
}

struct Hashing<'a>(&'a mut Sha256);

impl std::io::Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pinned_list_is_well_formed_and_holds_the_broker() {
        assert!(pinned().all(|jar| jar.sum.len() == 64 && jar.size > 0 && jar.name.ends_with(".jar")));
        assert!(pinned().any(|jar| jar.name == format!("kafka_2.13-{VERSION}.jar")));
    }

    #[test]
    fn a_jar_that_is_not_the_pinned_one_is_refused() {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(libs(home.path())).unwrap();
        for jar in pinned() {
            fs::write(libs(home.path()).join(jar.name), "not a jar").unwrap();
        }
        for matches in [has_size, has_sum] {
            let error = check(home.path(), &matches).unwrap_err();
            assert!(matches!(error, EmbeddedError::WrongSum { .. }), "{error}");
        }
    }

    #[test]
    fn sums_are_sha256() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        fs::write(&path, "abc").unwrap();
        let sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(has_sum(&path, &Jar { sum, size: 3, name: "abc" }), Ok(()));
    }
}
