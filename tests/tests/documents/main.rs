//! The documents that are made from definitions in the code are what the definitions say now.
//!
//! `RECOUNT_WRITE_DOCUMENTS=1 cargo test --package recount-tests --test documents` writes them anew.

mod rejections;
mod schemas;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package is a folder of the repository")
}

fn is_writing() -> bool {
    std::env::var_os("RECOUNT_WRITE_DOCUMENTS").is_some_and(|value| value == "1")
}

/// Compares a file of the repository with what it should hold, or writes it.
fn check(path: &Path, expected: &str) {
    if is_writing() {
        std::fs::create_dir_all(path.parent().expect("a file is in a folder"))
            .expect("the folder can be made");
        std::fs::write(path, expected).expect("the file can be written");
        return;
    }
    let there = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        there == expected,
        "{} is not what the code says. If the change is meant, write it anew: \
         RECOUNT_WRITE_DOCUMENTS=1 cargo test --package recount-tests --test documents",
        path.display()
    );
}

/// The same for a folder: these files and no others.
fn check_folder(folder: &Path, expected: &BTreeMap<String, String>) {
    let there: Vec<PathBuf> = match std::fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| entry.expect("the folder can be read").path()).collect(),
        Err(_) => Vec::new(),
    };
    let is_expected =
        |path: &Path| path.file_name().is_some_and(|name| expected.contains_key(&*name.to_string_lossy()));
    for stray in there.iter().filter(|path| !is_expected(path)) {
        assert!(is_writing(), "{} is made from nothing", stray.display());
        std::fs::remove_file(stray).expect("the file can be removed");
    }
    for (name, text) in expected {
        check(&folder.join(name), text);
    }
}
