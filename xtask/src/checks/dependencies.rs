//! Dependencies that no source mentions, and dependencies of the workspace that no package has.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use serde::Deserialize;

use crate::workspace::Package;

/// With it, tests reach the servers that xtask starts.
const TEST_SUPPORT: &str = "recount-test-support";

#[derive(Debug, Deserialize)]
struct Manifest {
    workspace: Workspace,
}

#[derive(Debug, Deserialize)]
struct Workspace {
    dependencies: BTreeMap<String, toml::Value>,
}

pub(crate) fn unused(packages: &[Package]) -> anyhow::Result<Vec<String>> {
    let mut problems = Vec::new();
    for package in packages {
        let mut sources = Vec::new();
        collect_sources(package.folder(), &mut sources)?;
        for dependency in &package.dependencies {
            let name = dependency.rename.as_ref().unwrap_or(&dependency.name).replace('-', "_");
            if !sources.iter().any(|source| mentions(source, &name)) {
                problems.push(format!("{} does not use its dependency {}", package.name, dependency.name));
            }
        }
    }
    let path = crate::repository().join("Cargo.toml");
    let manifest =
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let manifest: Manifest = toml::from_str(&manifest)?;
    // A path leads to a package of the workspace itself; that it is listed costs nothing.
    let is_external = |value: &toml::Value| value.get("path").is_none();
    for (name, _) in manifest.workspace.dependencies.iter().filter(|(_, value)| is_external(value)) {
        let is_it = |dependency: &crate::workspace::Dependency| {
            dependency.rename.as_ref().unwrap_or(&dependency.name) == name
        };
        if !packages.iter().any(|package| package.dependencies.iter().any(is_it)) {
            problems.push(format!("no package uses the workspace's dependency {name}"));
        }
    }
    Ok(problems)
}

/// A run of selected tests starts only the servers that the packages declare.
pub(crate) fn without_test_needs(packages: &[Package]) -> Vec<String> {
    let is_lacking = |package: &&Package| {
        let mut dependencies = package.dependencies.iter();
        package.test_needs().is_none() && dependencies.any(|dependency| dependency.name == TEST_SUPPORT)
    };
    let lacking = packages.iter().filter(is_lacking);
    lacking
        .map(|package| {
            format!(
                "{} depends on {TEST_SUPPORT}, so its Cargo.toml must declare `test-needs` under \
                 [package.metadata.recount]",
                package.name
            )
        })
        .collect()
}

fn collect_sources(folder: &Path, sources: &mut Vec<String>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            collect_sources(&path, sources)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push(std::fs::read_to_string(&path)?);
        }
    }
    Ok(())
}

/// Whether the name stands somewhere as a word of its own.
fn mentions(source: &str, name: &str) -> bool {
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    source
        .match_indices(name)
        .any(|(at, _)| !source[..at].ends_with(is_part) && !source[at + name.len()..].starts_with(is_part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mention_is_a_whole_word() {
        for source in ["use bytes::Bytes;", "x: bytes::Bytes", "bytes"] {
            assert!(mentions(source, "bytes"), "{source}");
        }
        for source in ["use zerobytes::X;", "let bytes_read = 1;", "as_bytes()", ""] {
            assert!(!mentions(source, "bytes"), "{source}");
        }
    }

    #[test]
    fn a_package_with_test_support_must_declare_what_its_tests_need() {
        let package = |metadata: &str| {
            let json = format!(
                r#"{{"name": "a", "manifest_path": "/a/Cargo.toml", "metadata": {metadata},
                     "dependencies": [{{"name": "recount-test-support", "rename": null}}]}}"#
            );
            serde_json::from_str::<Package>(&json).unwrap()
        };
        assert_eq!(without_test_needs(&[package("null")]).len(), 1);
        assert!(without_test_needs(&[package(r#"{"recount": {"test-needs": []}}"#)]).is_empty());
    }
}
