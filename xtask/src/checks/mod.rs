//! Cheap checks of the whole repository. The first two need nothing installed; the others run the tools that are there.

mod dependencies;
mod licences;
mod tools;

use std::time::Instant;

use anyhow::bail;

use crate::workspace;

pub(crate) async fn run() -> anyhow::Result<()> {
    println!("\n== checks");
    let started = Instant::now();
    let packages = workspace::packages().await?;
    let mut problems = dependencies::unused(&packages)?;
    problems.extend(dependencies::without_test_needs(&packages));
    problems.extend(licences::problems(&workspace::built_from().await?)?);
    if !problems.is_empty() {
        bail!("checks failed:\n- {}", problems.join("\n- "));
    }
    println!("== checks: ok in {:.1?}", started.elapsed());
    tools::run().await
}
