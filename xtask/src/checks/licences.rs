//! The licences and the versions of what the workspace is built from, against the lists in `deny.toml`.
//!
//! `cargo deny` checks the same and more (sources, advisories, other platforms), but has to be installed.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use serde::Deserialize;

use crate::workspace::BuiltFrom;

#[derive(Debug, Deserialize)]
struct Deny {
    licenses: Licenses,
    bans: Bans,
}

#[derive(Debug, Deserialize)]
struct Licenses {
    allow: BTreeSet<String>,
}

#[derive(Debug, Deserialize)]
struct Bans {
    skip: Vec<Skip>,
}

/// A version that may be there beside another one.
#[derive(Debug, Deserialize)]
struct Skip {
    /// `name@version`; the version may leave out its last parts.
    #[serde(rename = "crate")]
    spec: String,
}

impl Skip {
    fn is_for(&self, package: &BuiltFrom) -> bool {
        let Some((name, version)) = self.spec.split_once('@') else {
            return false;
        };
        let rest = package.version.strip_prefix(version);
        name == package.name && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}

pub(crate) fn problems(packages: &BTreeSet<BuiltFrom>) -> anyhow::Result<Vec<String>> {
    let path = crate::repository().join("deny.toml");
    let deny = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let deny: Deny = toml::from_str(&deny)?;
    let mut problems = unlicensed(packages, &deny.licenses.allow);
    problems.extend(duplicates(packages, &deny.bans.skip));
    Ok(problems)
}

fn unlicensed(packages: &BTreeSet<BuiltFrom>, allowed: &BTreeSet<String>) -> Vec<String> {
    let permits = |package: &&BuiltFrom| package.license.as_deref().is_some_and(|it| is_allowed(it, allowed));
    let refused = packages.iter().filter(|package| !permits(package));
    refused
        .map(|package| {
            let licence = package.license.as_deref().unwrap_or("none");
            format!("the licence of {} {} is not allowed: {licence}", package.name, package.version)
        })
        .collect()
}

fn duplicates(packages: &BTreeSet<BuiltFrom>, skip: &[Skip]) -> Vec<String> {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in packages.iter().filter(|package| !skip.iter().any(|skip| skip.is_for(package))) {
        versions.entry(&package.name).or_default().push(&package.version);
    }
    versions.retain(|_, versions| versions.len() > 1);
    let list = versions.into_iter();
    list.map(|(name, versions)| format!("{name} is there in versions {}", versions.join(" and "))).collect()
}

/// Whether an SPDX expression can be met with the allowed licences.
fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    // `/` is how older manifests write OR.
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let (met, rest) = any(&words, allowed);
    met && rest.is_empty()
}

fn any<'a>(words: &'a [&'a str], allowed: &BTreeSet<String>) -> (bool, &'a [&'a str]) {
    let (mut met, mut rest) = all(words, allowed);
    while let ["OR", more @ ..] = rest {
        let (another, after) = all(more, allowed);
        (met, rest) = (met || another, after);
    }
    (met, rest)
}

fn all<'a>(words: &'a [&'a str], allowed: &BTreeSet<String>) -> (bool, &'a [&'a str]) {
    let (mut met, mut rest) = one(words, allowed);
    while let ["AND", more @ ..] = rest {
        let (another, after) = one(more, allowed);
        (met, rest) = (met && another, after);
    }
    (met, rest)
}

fn one<'a>(words: &'a [&'a str], allowed: &BTreeSet<String>) -> (bool, &'a [&'a str]) {
    match words {
        ["(", inner @ ..] => match any(inner, allowed) {
            (met, [")", rest @ ..]) => (met, rest),
            (_, rest) => (false, rest),
        },
        [licence, "WITH", exception, rest @ ..] => {
            (allowed.contains(&format!("{licence} WITH {exception}")), rest)
        }
        [licence, rest @ ..] => (allowed.contains(*licence), rest),
        [] => (false, words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed() -> BTreeSet<String> {
        ["MIT", "Apache-2.0", "Unicode-3.0", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned).into()
    }

    #[test]
    fn one_side_of_an_or_is_enough_and_both_sides_of_an_and_are_needed() {
        for met in [
            "MIT",
            "MIT OR GPL-2.0",
            "GPL-2.0/MIT",
            "(MIT OR GPL-2.0) AND Unicode-3.0",
            "GPL-2.0 AND BSD-3-Clause OR MIT",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert!(is_allowed(met, &allowed()), "{met}");
        }
        for unmet in [
            "GPL-2.0",
            "MIT AND GPL-2.0",
            "(MIT OR Apache-2.0) AND GPL-2.0",
            "MIT WITH x",
            "",
            "(MIT",
            "MIT)",
        ] {
            assert!(!is_allowed(unmet, &allowed()), "{unmet}");
        }
    }

    #[test]
    fn a_second_version_must_be_in_the_list() {
        let package =
            |version: &str| BuiltFrom { name: "syn".to_owned(), version: version.to_owned(), license: None };
        let packages = BTreeSet::from([package("2.0.1"), package("3.0.0")]);
        let skip = |spec: &str| vec![Skip { spec: spec.to_owned() }];
        assert_eq!(duplicates(&packages, &skip("syn@2")), Vec::<String>::new());
        for other in ["syn@1", "syn@2.0.11", "sy@2"] {
            assert_eq!(duplicates(&packages, &skip(other)), ["syn is there in versions 2.0.1 and 3.0.0"]);
        }
    }
}
