//! The layering: which crate may depend on which, what the pure crates may touch, which words the engine may use.
//!
//! `docs/ARCHITECTURE.md` shows the same picture with its reasons, and a test here compares the two.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The arrows that are allowed. Every crate of the repository is here.
const LAYERS: &[(&str, &[&str])] = &[
    ("recount-core", &[]),
    ("recount-postgres", &[]),
    ("recount-store", &["recount-core", "recount-postgres"]),
    ("recount-writer", &["recount-core", "recount-store"]),
    ("recount-projection", &["recount-core", "recount-postgres", "recount-store"]),
    ("recount-kafka", &["recount-core", "recount-postgres", "recount-store"]),
    ("recount-events", &["recount-core"]),
    ("recount-domain", &["recount-core", "recount-events"]),
    ("recount-service-kit", &["recount-core", "recount-postgres", "recount-store", "recount-writer"]),
    ("recount-identity", &["recount-postgres", "recount-service-kit"]),
    ("recount-embedded", &[]),
    (
        "recount-command-service",
        &[
            "recount-core",
            "recount-store",
            "recount-writer",
            "recount-kafka",
            "recount-events",
            "recount-domain",
            "recount-service-kit",
            "recount-identity",
        ],
    ),
    (
        "recount-projector",
        &[
            "recount-core",
            "recount-store",
            "recount-projection",
            "recount-kafka",
            "recount-events",
            "recount-service-kit",
        ],
    ),
    ("recount-query-service", &["recount-core", "recount-store", "recount-service-kit", "recount-identity"]),
    (
        "recount-import",
        &["recount-core", "recount-writer", "recount-events", "recount-domain", "recount-command-service"],
    ),
    (
        "recount",
        &[
            "recount-core",
            "recount-store",
            "recount-writer",
            "recount-projection",
            "recount-kafka",
            "recount-service-kit",
            "recount-identity",
            "recount-embedded",
            "recount-command-service",
            "recount-projector",
            "recount-query-service",
            "recount-import",
        ],
    ),
    (
        "theatre",
        &["recount-core", "recount-store", "recount-writer", "recount-projection", "recount-service-kit"],
    ),
    ("recount-test-support", &[]),
    (
        "recount-tests",
        &[
            "recount-core",
            "recount-writer",
            "recount-kafka",
            "recount-events",
            "recount-domain",
            "recount-service-kit",
            "recount-embedded",
            "recount-command-service",
            "recount-test-support",
        ],
    ),
    ("recount-bench", &["recount-core", "recount-store", "recount-embedded"]),
    ("xtask", &["recount-embedded"]),
];

/// The engine: publishable, and without a word of a domain.
const ENGINE: [&str; 6] = [
    "recount-core",
    "recount-postgres",
    "recount-store",
    "recount-writer",
    "recount-projection",
    "recount-kafka",
];

/// The crates that do no I/O.
const PURE: [&str; 3] = ["recount-core", "recount-events", "recount-domain"];

/// The libraries that pure crates may use: data, and nothing that acts.
const DATA: [&str; 7] = ["chrono", "schemars", "serde", "serde_json", "sha2", "thiserror", "uuid"];

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

/// The arrows between our crates, as cargo sees them.
fn arrows() -> BTreeMap<String, BTreeSet<String>> {
    let dependencies = dependencies();
    let ours: BTreeSet<String> = dependencies.keys().cloned().collect();
    let arrows = |needed: BTreeSet<String>| needed.intersection(&ours).cloned().collect();
    dependencies.into_iter().map(|(package, needed)| (package, arrows(needed))).collect()
}

#[test]
fn every_crate_is_in_the_picture_and_has_the_arrows_that_the_picture_allows() {
    let allowed: BTreeMap<String, BTreeSet<String>> = LAYERS
        .iter()
        .map(|(name, allowed)| ((*name).to_owned(), allowed.iter().map(|name| (*name).to_owned()).collect()))
        .collect();
    assert_eq!(arrows(), allowed);
}

#[test]
fn the_picture_in_the_architecture_document_is_this_one() {
    let document =
        std::fs::read_to_string(root().join("docs/ARCHITECTURE.md")).expect("the document is there");
    for (package, arrows) in LAYERS {
        let names: Vec<String> = arrows.iter().map(|name| format!("`{name}`")).collect();
        let row =
            format!("| `{package}` | {} |", if names.is_empty() { "–".to_owned() } else { names.join(", ") });
        assert!(document.contains(&row), "docs/ARCHITECTURE.md lacks this row:\n{row}");
    }
}

#[test]
fn the_engine_is_built_without_http_and_only_one_of_its_crates_with_kafka() {
    for package in ENGINE {
        let tree = Command::new(env!("CARGO"))
            .args(["tree", "--package", package, "--edges", "normal", "--prefix", "none", "--offline"])
            .current_dir(root())
            .output()
            .expect("cargo runs");
        let tree = String::from_utf8_lossy(&tree.stdout).into_owned();
        let crates: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
        assert!(crates.contains(package), "{package}: {tree}");
        for foreign in ["axum", "hyper", "utoipa", "clap"] {
            assert!(!crates.contains(foreign), "{package} is built with {foreign}");
        }
        assert_eq!(crates.contains("rdkafka"), package == "recount-kafka", "{package}");
    }
}

#[test]
fn the_pure_crates_are_built_on_data_alone() {
    let dependencies = dependencies();
    for package in PURE {
        let others = dependencies[package].iter().filter(|name| !name.starts_with("recount-"));
        let acting: Vec<&String> = others.filter(|name| !DATA.contains(&name.as_str())).collect();
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
    for folder in ["engine/core/src", "events/src", "domain/src"] {
        let found = lines_where(folder, |line| {
            !line.trim_start().starts_with("//") && ACTING.iter().any(|word| line.contains(word))
        });
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
    for folder in ["engine", "service-kit"] {
        let found =
            lines_where(folder, |line| words(line).any(|word| LEDGER.contains(&word.trim_end_matches('s'))));
        assert!(found.is_empty(), "{found:#?}");
    }
}

fn words(line: &str) -> impl Iterator<Item = String> {
    line.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase)
}
