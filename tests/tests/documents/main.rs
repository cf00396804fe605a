//! Generated documents match the definitions in the code.
//!
//! `RECOUNT_WRITE_DOCUMENTS=1 cargo test --package recount-tests --test documents` regenerates them.

mod openapi;
mod paths;
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

/// Compares a file of the repository with its expected content, or writes it.
fn check(path: &Path, expected: &str) {
    if is_writing() {
        std::fs::create_dir_all(path.parent().expect("a file is in a folder"))
            .expect("the folder can be created");
        std::fs::write(path, expected).expect("the file can be written");
        return;
    }
    let actual = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        actual == expected,
        "{} does not match the code. If the change is intended, regenerate it: \
         RECOUNT_WRITE_DOCUMENTS=1 cargo test --package recount-tests --test documents",
        path.display()
    );
}

/// Compares a folder with its expected files, or writes it. It must have no others.
fn check_folder(folder: &Path, expected: &BTreeMap<String, String>) {
    let actual: Vec<PathBuf> = match std::fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| entry.expect("the folder can be read").path()).collect(),
        Err(_) => Vec::new(),
    };
    let is_expected =
        |path: &Path| path.file_name().is_some_and(|name| expected.contains_key(&*name.to_string_lossy()));
    for stray in actual.iter().filter(|path| !is_expected(path)) {
        assert!(is_writing(), "{} has no definition", stray.display());
        std::fs::remove_file(stray).expect("the file can be removed");
    }
    for (name, text) in expected {
        check(&folder.join(name), text);
    }
}
