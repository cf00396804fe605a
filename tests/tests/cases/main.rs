//! The cases of `tests/cases` against the domain: in memory, with a clock that only the cases advance.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod book;
mod coverage;
mod run;

use recount_tests::cases;

#[test]
fn the_domain_passes_every_case() {
    let cases = cases::all();
    let failed: Vec<String> = cases.iter().filter_map(|case| run::run(case).err()).collect();
    assert!(failed.is_empty(), "{} of {} cases:\n{}", failed.len(), cases.len(), failed.join("\n"));
}
