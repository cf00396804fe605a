//! The file in cargo's target folder in which `cargo xtask servers` says where its servers are, while they run.
//!
//! Each line is `NAME=VALUE`, with the name of the environment variable that it replaces. xtask, which writes the file,
//! compiles this module too, so it only uses the standard library.

use std::path::{Path, PathBuf};

pub(crate) const FILE_NAME: &str = "recount-test-servers";

/// The process that runs the servers. If it has ended, the servers have too, and the file is stale.
pub(crate) const PROCESS: &str = "PROCESS";

/// The value of a variable, if servers are running. A file in another target folder is about the servers of another
/// checkout.
pub(crate) fn value(variable: &str) -> Option<String> {
    let executable = std::env::current_exe().ok()?;
    let content = std::fs::read_to_string(find(&executable)?).ok()?;
    let lines = parse(&content);
    let is_alive = |process: &str| Path::new("/proc").join(process).exists();
    get(&lines, PROCESS).filter(|process| is_alive(process))?;
    get(&lines, variable).map(str::to_owned)
}

/// Every executable that cargo builds is in its target folder, at a depth that depends on how it was built.
fn find(executable: &Path) -> Option<PathBuf> {
    executable.ancestors().skip(1).map(|folder| folder.join(FILE_NAME)).find(|file| file.is_file())
}

fn parse(content: &str) -> Vec<(&str, &str)> {
    content.lines().filter_map(|line| line.split_once('=')).collect()
}

fn get<'a>(lines: &[(&str, &'a str)], name: &str) -> Option<&'a str> {
    lines.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_may_contain_an_equals_sign() {
        let lines = parse("PROCESS=12\nURL=postgres://u@h/d?host=%2Frun\n");
        assert_eq!(get(&lines, "URL"), Some("postgres://u@h/d?host=%2Frun"));
        assert_eq!(get(&lines, "PROCESS"), Some("12"));
        assert_eq!(get(&lines, "KAFKA"), None);
    }

    #[test]
    fn the_file_is_found_in_a_folder_above_the_executable() {
        let target = std::env::temp_dir().join(format!("servers-file-{}", std::process::id()));
        let executable = target.join("debug/deps/some-test");
        std::fs::create_dir_all(&target).unwrap();
        assert_eq!(find(&executable), None);
        std::fs::write(target.join(FILE_NAME), "").unwrap();
        assert_eq!(find(&executable), Some(target.join(FILE_NAME)));
        std::fs::remove_dir_all(&target).unwrap();
    }
}
