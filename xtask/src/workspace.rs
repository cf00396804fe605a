//! The packages of this workspace, and all that they are built from, as `cargo metadata` tells it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::needs::TestNeeds;
use crate::steps::cargo;

#[derive(Debug, Deserialize)]
struct Metadata<P> {
    packages: Vec<P>,
}

/// A package of this workspace.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    manifest_path: PathBuf,
    pub(crate) dependencies: Vec<Dependency>,
    metadata: Option<PackageMetadata>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) rename: Option<String>,
}

#[derive(Debug, Deserialize)]
struct PackageMetadata {
    recount: Option<RecountMetadata>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct RecountMetadata {
    test_needs: TestNeeds,
}

impl Package {
    pub(crate) fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(Path::new("/"))
    }

    pub(crate) fn test_needs(&self) -> Option<&TestNeeds> {
        self.metadata.as_ref()?.recount.as_ref().map(|recount| &recount.test_needs)
    }
}

/// A package that the workspace is built from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(crate) struct BuiltFrom {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) license: Option<String>,
}

pub(crate) async fn packages() -> anyhow::Result<Vec<Package>> {
    metadata(&["--no-deps"]).await
}

/// For this platform: others' packages would have to be fetched to be looked at.
pub(crate) async fn built_from() -> anyhow::Result<BTreeSet<BuiltFrom>> {
    let host = host().await?;
    Ok(metadata(&["--filter-platform", &host]).await?.into_iter().collect())
}

async fn metadata<P: DeserializeOwned>(arguments: &[&str]) -> anyhow::Result<Vec<P>> {
    let mut command = cargo();
    command.args(["metadata", "--format-version", "1", "--locked"]).args(arguments);
    let metadata: Metadata<P> =
        serde_json::from_slice(&output(command).await?).context("cannot read what cargo metadata printed")?;
    Ok(metadata.packages)
}

async fn host() -> anyhow::Result<String> {
    let mut command = cargo();
    command.args(["--version", "--verbose"]);
    let version = String::from_utf8(output(command).await?)?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("cargo does not say what it runs on")?.to_owned())
}

async fn output(mut command: tokio::process::Command) -> anyhow::Result<Vec<u8>> {
    let output = command.kill_on_drop(true).output().await.context("cannot run cargo")?;
    ensure!(output.status.success(), "cargo failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(output.stdout)
}
