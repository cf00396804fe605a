//! The house keeps its shape: who may depend on whom, what the pure parts may touch, which words the engine may use.
//!
//! The same picture stands in `docs/ARCHITECTURE.md`, with its reasons.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The arrows that are allowed. A package that is not here may depend on anything of ours.
const HOUSE: [(&str, &[&str]); 11] = [
    ("recount-events", &[]),
    ("recount-domain", &["recount-events"]),
    ("recount-event-store", &["recount-events"]),
    ("recount-messaging", &["recount-events"]),
    ("recount-service-kit", &[]),
    ("recount-embedded", &[]),
    (
        "recount-command-service",
        &[
            "recount-domain",
            "recount-events",
            "recount-event-store",
            "recount-messaging",
            "recount-service-kit",
        ],
    ),
    (
        "recount-projector",
        &["recount-events", "recount-event-store", "recount-messaging", "recount-service-kit"],
    ),
    ("recount-query-service", &["recount-service-kit"]),
    ("recount-test-support", &[]),
    ("xtask", &["recount-embedded"]),
];

/// What the pure crates may be built on: data, and nothing that acts.
const PURE: [&str; 7] = ["chrono", "schemars", "serde", "serde_json", "sha2", "thiserror", "uuid"];

/// The folders of what knows no domain.
const GENERIC: [&str; 6] = [
    "event-store/src",
    "messaging/src",
    "command-service/src/deadlines",
    "command-service/src/engine",
    "command-service/src/relay",
    "projector/src/engine",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests are a folder of the repository")
        .to_owned()
}

/// The dependencies of each package that its product is built with (not those of its tests).
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).expect("cargo prints JSON");
    let packages = metadata["packages"].as_array().expect("there are packages");
    let name = |value: &serde_json::Value| value["name"].as_str().expect("it has a name").to_owned();
    let needed = |package: &serde_json::Value| {
        let all = package["dependencies"].as_array().expect("there is a list").iter();
        all.filter(|dependency| dependency["kind"].is_null()).map(name).collect()
    };
    packages.iter().map(|package| (name(package), needed(package))).collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The lines of the folder's Rust files for which this holds, with their places.
fn lines_where(folder: &str, holds: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for file in rust_files(&root().join(folder)) {
        let text = std::fs::read_to_string(&file).expect("the file can be read");
        for (number, line) in text.lines().enumerate().filter(|(_, line)| holds(line)) {
            found.push(format!("{}:{}: {}", file.display(), number + 1, line.trim()));
        }
    }
    found
}

#[test]
fn nobody_depends_on_what_the_house_does_not_allow() {
    let dependencies = dependencies();
    let ours: BTreeSet<&String> = dependencies.keys().collect();
    for (package, allowed) in HOUSE {
        let needed = dependencies.get(package).unwrap_or_else(|| panic!("there is no package {package}"));
        let arrows = needed.iter().filter(|name| ours.contains(name) && !allowed.contains(&name.as_str()));
        assert_eq!(arrows.collect::<Vec<_>>(), Vec::<&String>::new(), "{package} may not depend on these");
    }
}

#[test]
fn the_pure_crates_are_built_on_data_alone() {
    let dependencies = dependencies();
    for package in ["recount-events", "recount-domain"] {
        let others = dependencies[package].iter().filter(|name| !name.starts_with("recount-"));
        let acting: Vec<&String> = others.filter(|name| !PURE.contains(&name.as_str())).collect();
        assert!(acting.is_empty(), "{package} does no I/O, and depends on {acting:?}");
    }
}

#[test]
fn the_pure_crates_touch_no_clock_no_randomness_and_no_system() {
    const ACTING: [&str; 10] = [
        "std::fs",
        "std::net",
        "std::env",
        "std::process",
        "std::time",
        "std::thread",
        "std::io",
        "::now(",
        "now_v7",
        "new_v4",
    ];
    for folder in ["events/src", "domain/src"] {
        let found = lines_where(folder, |line| ACTING.iter().any(|word| line.contains(word)));
        assert!(found.is_empty(), "{found:#?}");
    }
}

#[test]
fn no_amount_is_a_float() {
    // It reads metadata, whose numbers are JSON's and mean nothing to the ledger.
    const FREE_JSON: &str = "command-service/src/ledger/wire/free_json.rs:";
    for folder in ["events/src", "domain/src", "projector/src/ledger", "command-service/src/ledger"] {
        let mut found = lines_where(folder, |line| words(line).any(|word| word == "f64" || word == "f32"));
        found.retain(|place| !place.contains(FREE_JSON));
        assert!(found.is_empty(), "{found:#?}");
    }
}

#[test]
fn the_engine_names_no_ledger_concept() {
    const LEDGER: [&str; 7] = ["ledger", "account", "debit", "credit", "posting", "overdraft", "balance"];
    for folder in GENERIC {
        let found =
            lines_where(folder, |line| words(line).any(|word| LEDGER.contains(&word.trim_end_matches('s'))));
        assert!(found.is_empty(), "{found:#?}");
    }
}

fn words(line: &str) -> impl Iterator<Item = String> {
    line.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase)
}
