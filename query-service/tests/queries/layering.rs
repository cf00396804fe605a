//! The layering inside the crate: `rest` may use `questions`, `questions` may use `read`, and neither of these knows HTTP.

use std::path::{Path, PathBuf};

/// Words that belong to a transport.
const HTTP: [&str; 5] = ["axum", "http::", "utoipa_axum", "Problem", "crate::rest"];

#[test]
fn reading_and_questions_know_no_http() {
    for folder in ["read", "questions"] {
        assert_eq!(lines_with(folder, &HTTP), [""; 0], "src/{folder} must not use these");
    }
}

#[test]
fn reading_knows_no_questions() {
    assert_eq!(lines_with("read", &["crate::questions"]), [""; 0]);
}

#[test]
fn a_route_contains_no_sql() {
    assert_eq!(lines_with("rest", &["sqlx::query", "QueryBuilder", "FromRow"]), [""; 0]);
}

#[test]
fn the_log_is_read_and_never_written() {
    assert_eq!(lines_with("", &["LogWriter", "Append", "create_log"]), [""; 0]);
}

/// The lines with any of these words in the sources of a folder, with their places.
fn lines_with(folder: &str, words: &[&str]) -> Vec<String> {
    let files = rust_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(folder));
    assert!(files.len() > 3, "src/{folder} has sources: {files:?}");
    let mut found = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for (number, line) in text.lines().enumerate() {
            if words.iter().any(|word| line.contains(word)) {
                found.push(format!("{}:{}: {}", file.display(), number + 1, line.trim()));
            }
        }
    }
    found
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}
