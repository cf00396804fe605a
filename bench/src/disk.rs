//! Measures how long the disk takes to make a write durable, which every commit has to wait for.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Instant;

use anyhow::Context;

const WRITES: usize = 200;
/// A page of Postgres' write-ahead log.
const PAGE_BYTES: usize = 8 * 1024;
/// The file is made beforehand, as Postgres' segments are.
const PAGES: u64 = 64;

/// The median time, in microseconds, of writing a page in place and waiting until it is durable.
pub(crate) fn median_sync_micros(folder: &Path) -> anyhow::Result<u64> {
    let path = folder.join("sync-probe");
    let measured = measure(&path).with_context(|| format!("cannot write to {}", path.display()));
    let removed = std::fs::remove_file(&path);
    let mut micros = measured?;
    removed?;
    micros.sort_unstable();
    Ok(micros[WRITES / 2])
}

fn measure(path: &Path) -> anyhow::Result<Vec<u64>> {
    let file = File::create(path)?;
    let page = [0x5a; PAGE_BYTES];
    let place = |number: u64| (number % PAGES) * PAGE_BYTES as u64;
    for number in 0..PAGES {
        file.write_all_at(&page, place(number))?;
    }
    file.sync_all()?;
    (0..WRITES as u64)
        .map(|number| {
            let began = Instant::now();
            file.write_all_at(&page, place(number))?;
            file.sync_data()?;
            Ok(u64::try_from(began.elapsed().as_micros())?)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probe_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        median_sync_micros(folder.path()).unwrap();
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }
}
