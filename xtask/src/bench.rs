//! `cargo xtask bench`.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;

use anyhow::Context;

use crate::steps::{cargo, run as step};

pub(crate) async fn run(arguments: &[OsString]) -> anyhow::Result<()> {
    let mut build = cargo();
    build.args(["build", "--release", "--locked", "--package", "recount", "--package", "recount-bench"]);
    tokio::select! {
        built = step("build", build, |_| {}) => built?,
        interruption = crate::interrupted() => return Err(interruption),
    }
    let program = crate::built("release", "recount-bench")?;
    // It replaces this process, and so gets signals itself.
    let error = std::process::Command::new(&program)
        .args(arguments)
        .env("RECOUNT_BIN", crate::built("release", "recount")?)
        .exec();
    Err(error).with_context(|| format!("cannot run {}", program.display()))
}
