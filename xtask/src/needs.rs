//! What the tests of a package need around them, as its `Cargo.toml` declares it:
//!
//! ```toml
//! [package.metadata.recount]
//! test-needs = ["postgres"]
//!
//! # Or by test target (`lib` for the unit tests). Those that are not listed need nothing.
//! [package.metadata.recount.test-needs]
//! relay = ["postgres", "kafka"]
//! ```

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::selection::Selection;
use crate::workspace::Package;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Need {
    Postgres,
    Kafka,
    /// The program `recount`, built.
    Binary,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum TestNeeds {
    OfPackage(BTreeSet<Need>),
    ByTarget(BTreeMap<String, BTreeSet<Need>>),
}

impl TestNeeds {
    fn of(&self, targets: Option<&[String]>) -> BTreeSet<Need> {
        match (self, targets) {
            (TestNeeds::OfPackage(needs), _) => needs.clone(),
            (TestNeeds::ByTarget(needs), None) => needs.values().flatten().copied().collect(),
            (TestNeeds::ByTarget(needs), Some(targets)) => {
                targets.iter().filter_map(|target| needs.get(target)).flatten().copied().collect()
            }
        }
    }
}

/// The needs of the selected tests. Whatever cannot be told from the arguments counts as selected.
pub(crate) fn of(selection: &Selection, packages: &[Package]) -> BTreeSet<Need> {
    let is_known = |name: &String| packages.iter().any(|package| package.name == *name);
    let all = !selection.names_packages() || !selection.packages.iter().all(is_known);
    packages
        .iter()
        .filter(|package| all || selection.packages.contains(&package.name))
        .filter_map(Package::test_needs)
        .flat_map(|needs| needs.of(selection.targets.as_deref()))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn packages() -> Vec<Package> {
        let json = r#"[
            {"name": "pure", "manifest_path": "/r/pure/Cargo.toml", "dependencies": [], "metadata": null},
            {"name": "store", "manifest_path": "/r/store/Cargo.toml", "dependencies": [],
             "metadata": {"recount": {"test-needs": ["postgres"]}}},
            {"name": "whole", "manifest_path": "/r/whole/Cargo.toml", "dependencies": [],
             "metadata": {"recount": {"test-needs": {"relay": ["postgres", "kafka"], "e2e": ["postgres", "binary"]}}}}
        ]"#;
        serde_json::from_str(json).unwrap()
    }

    fn needs(arguments: &str) -> Vec<Need> {
        let arguments: Vec<OsString> = arguments.split_whitespace().map(OsString::from).collect();
        of(&Selection::of(&arguments), &packages()).into_iter().collect()
    }

    #[test]
    fn only_the_selected_packages_count() {
        assert_eq!(needs("-p pure some_test"), []);
        assert_eq!(needs("-p pure -p store"), [Need::Postgres]);
        assert_eq!(needs("-p whole"), [Need::Postgres, Need::Kafka, Need::Binary]);
    }

    #[test]
    fn only_the_selected_targets_count() {
        assert_eq!(needs("-p whole --test relay"), [Need::Postgres, Need::Kafka]);
        assert_eq!(needs("-p whole --test layering"), []);
        assert_eq!(needs("-p whole --lib"), []);
        assert_eq!(needs("-p store --lib"), [Need::Postgres]);
    }

    #[test]
    fn everything_counts_if_the_selection_is_not_clear() {
        let all = [Need::Postgres, Need::Kafka, Need::Binary];
        assert_eq!(needs(""), all);
        assert_eq!(needs("some_test"), all);
        assert_eq!(needs("-p pur*"), all);
        assert_eq!(needs("-p whole --tests"), all);
        assert_eq!(needs("-p whole --test rel*"), all);
    }

    #[test]
    fn a_need_that_does_not_exist_is_refused() {
        let unknown = serde_json::from_str::<TestNeeds>(r#"["postgresql"]"#);
        assert!(unknown.is_err());
    }
}
