//! `cargo xtask servers`: the servers of the tests, running until they are told to stop.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};

use crate::needs::Need;
use crate::servers::{FOLDER, Servers, shared_postgres};
use crate::servers_file::{FILE_NAME, PROCESS};

pub(crate) async fn run(with_kafka: bool) -> anyhow::Result<()> {
    ensure!(
        shared_postgres().await.is_none(),
        "`cargo xtask servers` is running already: stop that one first (Ctrl-C), or use it"
    );
    let mut needs = BTreeSet::from([Need::Postgres]);
    if with_kafka {
        needs.insert(Need::Kafka);
    }
    let servers = tokio::select! {
        started = Servers::start(&needs) => started?,
        interruption = crate::interrupted() => return Err(interruption),
    };
    let done = serve(&servers).await;
    servers.stop().await;
    done
}

async fn serve(servers: &Servers) -> anyhow::Result<()> {
    let variables = servers.variables();
    let _file =
        ServersFile::write(crate::built("", FILE_NAME)?, &content(servers.folder.path(), &variables))?;
    for (name, value) in &variables {
        println!("export {name}='{value}'");
    }
    eprintln!(
        "\n`cargo xtask test` and `cargo test` find these servers by themselves while they run. The lines above are for \
         other tools. Their output is in {}. Ctrl-C stops them.",
        servers.folder.path().display()
    );
    let postgres_exit = servers.postgres.as_ref().map(recount_embedded::Postgres::exited);
    let kafka_exit = servers.kafka.as_ref().map(recount_embedded::Kafka::exited);
    tokio::select! {
        _ = crate::interrupted() => Ok(()),
        exit = optional(postgres_exit) => bail!("Postgres ended: {exit}"),
        exit = optional(kafka_exit) => bail!("Kafka ended: {exit}"),
    }
}

async fn optional<T>(future: Option<impl Future<Output = T>>) -> T {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

fn content(folder: &Path, variables: &[(&'static str, String)]) -> String {
    let mut content = format!("{PROCESS}={}\n{FOLDER}={}\n", std::process::id(), folder.display());
    for (name, value) in variables {
        content.push_str(&format!("{name}={value}\n"));
    }
    content
}

/// Deleted with this value. A file that a killed process left behind names a process that is gone.
struct ServersFile(PathBuf);

impl ServersFile {
    /// In one step, so that no reader sees half of it.
    fn write(path: PathBuf, content: &str) -> anyhow::Result<ServersFile> {
        let staging = path.with_extension(std::process::id().to_string());
        std::fs::write(&staging, content)
            .and_then(|()| std::fs::rename(&staging, &path))
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(ServersFile(path))
    }
}

impl Drop for ServersFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_names_the_process_the_folder_and_the_variables() {
        let content = content(Path::new("/data"), &[("URL", "postgres://u@h/d?host=x".to_owned())]);
        let process = format!("PROCESS={}", std::process::id());
        assert_eq!(
            content.lines().collect::<Vec<_>>(),
            [&process, "FOLDER=/data", "URL=postgres://u@h/d?host=x"]
        );
    }

    #[test]
    fn the_file_is_gone_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        let file = ServersFile::write(path.clone(), "PROCESS=1\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "PROCESS=1\n");
        drop(file);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
