//! Finds the Java that runs Kafka.

use std::path::PathBuf;
use std::process::Command;

use crate::error::EmbeddedError;
use crate::launcher::find_program;

const OLDEST_MAJOR: u32 = 17;

const MISSING: EmbeddedError =
    EmbeddedError::Missing { what: "Java 17 or newer", install: "apt install openjdk-17-jre-headless" };

/// The one in `$JAVA_HOME`, or else the one on PATH.
pub(super) fn find() -> Result<PathBuf, EmbeddedError> {
    let home = std::env::var_os("JAVA_HOME").map(|home| PathBuf::from(home).join("bin").join("java"));
    let candidates = [home, find_program("java")];
    let fits = |java: &PathBuf| major(java).is_some_and(|major| major >= OLDEST_MAJOR);
    candidates.into_iter().flatten().find(fits).ok_or(MISSING)
}

fn major(java: &PathBuf) -> Option<u32> {
    let output = Command::new(java).arg("-version").output().ok()?;
    parse_major(&String::from_utf8_lossy(&output.stderr))
}

/// From `openjdk version "17.0.15" 2025-04-15`; Java 8 and older say `1.8`, which is too old anyway.
fn parse_major(text: &str) -> Option<u32> {
    let version = text.split_once("version \"")?.1;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_the_output_of_java() {
        assert_eq!(parse_major("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime"), Some(17));
        assert_eq!(parse_major("java version \"1.8.0_202\""), Some(1));
        assert_eq!(parse_major("openjdk version \"21\" 2023-09-19"), Some(21));
        assert_eq!(parse_major("no java here"), None);
    }
}
