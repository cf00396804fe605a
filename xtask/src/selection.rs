//! Which tests the arguments for `cargo test` select.

use std::ffi::OsString;

/// Flags of `cargo test` that select targets in other ways than by a test's name.
const BROAD: [&str; 9] = [
    "--tests",
    "--all-targets",
    "--bins",
    "--bin",
    "--examples",
    "--example",
    "--benches",
    "--bench",
    "--doc",
];

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    /// As given with `--package`; empty if the whole workspace is meant.
    pub(crate) packages: Vec<String>,
    /// The test targets, if they are named one by one. `lib` stands for the unit tests of a library.
    pub(crate) targets: Option<Vec<String>>,
}

impl Selection {
    pub(crate) fn of(arguments: &[OsString]) -> Selection {
        let mut selection = Selection::default();
        let mut targets = Vec::new();
        let mut is_clear = true;
        // What follows is for the test binaries.
        let ours = arguments.iter().take_while(|argument| *argument != "--");
        let mut words = ours.filter_map(|argument| argument.to_str());
        while let Some(word) = words.next() {
            let name = word.split_once('=').map_or(word, |(name, _)| name);
            if word == "--lib" {
                targets.push("lib".to_owned());
            } else if let Some(package) = value(word, &["-p", "--package"], &mut words) {
                selection.packages.push(package);
            } else if let Some(target) = value(word, &["--test"], &mut words) {
                is_clear &= !target.contains(['*', '?', '[']);
                targets.push(target);
            } else if BROAD.contains(&name) {
                is_clear = false;
            }
        }
        selection.targets = (is_clear && !targets.is_empty()).then_some(targets);
        selection
    }

    pub(crate) fn names_packages(&self) -> bool {
        !self.packages.is_empty()
    }
}

/// The value of a flag that is written as `--flag value` or `--flag=value`, or `-fvalue` if it has one letter.
fn value<'a>(word: &str, flags: &[&str], rest: &mut impl Iterator<Item = &'a str>) -> Option<String> {
    let attached = |flag: &&str| {
        let tail = word.strip_prefix(*flag)?;
        match flag.starts_with("--") {
            true => tail.strip_prefix('='),
            false => Some(tail.strip_prefix('=').unwrap_or(tail)),
        }
    };
    if flags.contains(&word) {
        return Some(rest.next().unwrap_or_default().to_owned());
    }
    flags.iter().find_map(attached).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(line: &str) -> Selection {
        Selection::of(&line.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn packages_are_found_however_they_are_written() {
        for line in ["-p a --package b", "--package=a -pb name", "name -p=a -p b -- -p c"] {
            assert_eq!(selection(line).packages, ["a", "b"], "{line}");
        }
        assert!(!selection("name --test-threads 2 -- -p").names_packages());
    }

    #[test]
    fn targets_are_known_only_if_each_is_named() {
        assert_eq!(selection("--test a --lib --test=b").targets.unwrap(), ["a", "lib", "b"]);
        for line in ["name", "--test a --bins", "--test a --bin=x", "--test a*"] {
            assert_eq!(selection(line).targets, None, "{line}");
        }
    }
}
