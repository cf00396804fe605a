//! Tools that have to be installed. To build them takes longer than all the other steps, so a run goes on without those
//! that are missing, and says so; continuous integration installs them as binaries.

use std::path::PathBuf;

use tokio::process::Command;

use crate::steps;

struct Tool {
    program: &'static str,
    package: &'static str,
    arguments: &'static [&'static str],
}

/// Without cargo-deny's advisories: a new one must not fail the run of an old commit.
const TOOLS: [Tool; 2] = [
    Tool { program: "typos", package: "typos-cli", arguments: &[] },
    Tool {
        program: "cargo-deny",
        package: "cargo-deny",
        arguments: &["--locked", "check", "bans", "licenses", "sources"],
    },
];

pub(crate) async fn run() -> anyhow::Result<()> {
    for Tool { program, package, arguments } in TOOLS {
        let Some(path) = installed(program) else {
            println!("\n== {program}: left out, because it is not installed (`cargo install {package}`);");
            println!("   continuous integration runs it, see .github/workflows/ci.yml");
            continue;
        };
        let mut command = Command::new(path);
        command.args(arguments).current_dir(crate::repository());
        steps::run(program, command, |_| {}).await?;
    }
    Ok(())
}

fn installed(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}
