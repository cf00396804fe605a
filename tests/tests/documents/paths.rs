//! Every file and folder that the architecture page and the guides name exists.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::repository;

/// The files that a guide tells its reader to create.
const CREATED_BY_THE_READER: [&str; 7] = [
    "closings.rs",
    "docs/schemas/events/account-frozen.v2.json",
    "events/tests/golden/account-frozen.v2.json",
    "events/tests/golden/account-renamed.v1.json",
    "projector/src/ledger/closings.rs",
    "query-service/src/questions/account_customers.rs",
    "query-service/src/rest/routes/account_customers.rs",
];
const EXTENSIONS: [&str; 7] = ["rs", "md", "sql", "json", "toml", "yml", "txt"];

/// The pages with their texts.
fn pages() -> Vec<(PathBuf, String)> {
    let docs = repository().join("docs");
    let guides = std::fs::read_dir(docs.join("guides")).expect("there are guides");
    let mut pages: Vec<PathBuf> = guides.map(|entry| entry.expect("the folder can be read").path()).collect();
    pages.push(docs.join("ARCHITECTURE.md"));
    pages.sort();
    let text = |page: &PathBuf| std::fs::read_to_string(page).expect("the page can be read");
    pages.iter().map(|page| (page.clone(), text(page))).collect()
}

/// The files and folders of the repository, relative to it, without hidden ones and the builds of cargo.
fn collect(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the folder can be read").path();
        let name = path.file_name().expect("an entry has a name").to_string_lossy();
        if name.starts_with('.') || name == "target" {
            continue;
        }
        let relative = path.strip_prefix(repository()).expect("it is in the repository");
        found.insert(relative.to_string_lossy().into_owned());
        if path.is_dir() {
            collect(&path, found);
        }
    }
}

/// The code spans of the prose, also those that run over two lines. Blocks of code are left out.
fn code_spans(text: &str) -> Vec<String> {
    let mut in_block = false;
    let mut paragraphs = vec![String::new()];
    for line in text.lines() {
        let is_fence = line.trim_start().starts_with("```");
        in_block ^= is_fence;
        match paragraphs.last_mut() {
            Some(paragraph) if !is_fence && !in_block && !line.trim().is_empty() => {
                paragraph.push_str(line);
                paragraph.push(' ');
            }
            _ => paragraphs.push(String::new()),
        }
    }
    let spans = |paragraph: &String| -> Vec<String> {
        paragraph.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    };
    paragraphs.iter().flat_map(spans).collect()
}

/// Whether this names a file, or a folder (`builds/`, or a path from the top of the repository).
fn is_path(word: &str, repository: &BTreeSet<String>) -> bool {
    let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c));
    if !plain || word.starts_with(['/', '.', '-']) {
        return false;
    }
    let named_file = Path::new(word)
        .extension()
        .is_some_and(|extension| EXTENSIONS.iter().any(|known| extension == *known));
    let top = word.split_once('/').is_some_and(|(top, _)| repository.contains(top));
    named_file || word.ends_with('/') || top
}

#[test]
fn every_file_and_folder_that_a_page_names_exists() {
    let mut repository = BTreeSet::new();
    collect(crate::repository(), &mut repository);
    let exists = |word: &str| {
        let path = word.trim_end_matches('/');
        let below = format!("/{path}");
        repository.contains(path) || repository.iter().any(|known| known.ends_with(&below))
    };
    let mut missing = Vec::new();
    let mut named = 0;
    for (page, text) in pages() {
        let paths = code_spans(&text).into_iter().filter(|word| is_path(word, &repository));
        for path in paths {
            named += 1;
            if !exists(&path) && !CREATED_BY_THE_READER.contains(&&*path) {
                missing.push(format!("{}: `{path}`", page.display()));
            }
        }
    }
    assert!(missing.is_empty(), "these do not exist: {missing:#?}");
    assert!(named > 100, "only {named} paths were found, so they are no longer recognised");
}

#[test]
fn every_link_of_a_page_leads_somewhere() {
    let mut broken = Vec::new();
    for (page, text) in pages() {
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
        let local = targets.filter(|target| !target.is_empty() && !target.contains("://"));
        let folder = page.parent().expect("a page is in a folder");
        broken.extend(
            local
                .filter(|target| !folder.join(target).exists())
                .map(|target| format!("{}: {target}", page.display())),
        );
    }
    assert!(broken.is_empty(), "{broken:#?}");
}
