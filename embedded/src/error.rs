//! Errors of starting and stopping the servers, and what the user can do about them.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Every message says what to do, because newcomers see it unchanged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbeddedError {
    #[error("cannot {action} {path}: {source}. Make the folder writable, or choose another one with `--data`", path = .path.display())]
    Folder { action: &'static str, path: PathBuf, source: io::Error },

    #[error("process {pid} already runs {what} on {data}. Stop it first, or choose another folder with `--data`", pid = .pid.map_or_else(|| "(unknown)".to_owned(), |pid| pid.to_string()), data = .data.display())]
    AlreadyRunning { what: &'static str, data: PathBuf, pid: Option<u32> },

    #[error("{what} is running on {data}, but it did not answer within {seconds} s; see {output}", seconds = .timeout.as_secs(), data = .data.display(), output = .output.display())]
    RunningButSilent { what: &'static str, data: PathBuf, timeout: Duration, output: PathBuf },

    #[error("an earlier {what} (process {pid}) still runs on {data} and cannot be stopped from here. Stop it by hand (`kill {pid}`), then start again", data = .data.display())]
    OrphanStays { what: &'static str, pid: i32, data: PathBuf },

    #[error("cannot run {program}: {source}. {advice}", program = .program.display())]
    CannotRun { program: PathBuf, source: io::Error, advice: &'static str },

    #[error("{what} failed ({exit}). The end of {output}:\n{tail}", output = .output.display())]
    Failed { what: &'static str, exit: String, output: PathBuf, tail: String },

    #[error("{what} did not become ready within {seconds} s. The end of {output}:\n{tail}", seconds = .timeout.as_secs(), output = .output.display())]
    NotReady { what: &'static str, timeout: Duration, output: PathBuf, tail: String },

    #[error("{what} did not stop within {seconds} s and was killed; nothing committed is lost, the next start recovers", seconds = .timeout.as_secs())]
    StoppedHard { what: &'static str, timeout: Duration },

    #[error(
        "found no Postgres 15 or newer (looked in {looked}){fetch}. Install one (on Debian or Ubuntu: `apt install postgresql`), or point `RECOUNT_DATABASE_URL` at a Postgres of yours"
    )]
    NoPostgres { looked: String, fetch: String },

    #[error("the cluster in {data} was made by Postgres {cluster}, and this machine has {found}. Install Postgres {cluster}, or choose another folder with `--data`", data = .data.display())]
    OtherVersion { data: PathBuf, cluster: String, found: String },

    #[error("{folder} has no working `postgres` and `initdb`: {reason}", folder = .folder.display())]
    BadBinaries { folder: PathBuf, reason: String },

    #[error(
        "Postgres refuses to run as root, and this machine has neither a user `postgres` nor `nobody` to run it as. Make one (`useradd --system postgres`), or run as an ordinary user"
    )]
    NoUnprivilegedUser,

    #[error("Postgres refuses to run as root, and its user `{user}` cannot get through {folder}. Allow it (`chmod o+x {folder}`), or choose a folder that everybody can enter with `--data` (for the cache: `RECOUNT_CACHE`)", folder = .folder.display())]
    NotTraversable { user: String, folder: PathBuf },

    #[error("{path} belongs to user {owner}, and you are user {you}. Run as that user, or choose another folder with `--data`", path = .path.display())]
    OtherOwner { path: PathBuf, owner: u32, you: u32 },

    #[error(
        "{path} is needed as a private folder for the socket, but another user owns it or can open it. Remove it and start again", path = .path.display()
    )]
    SocketFolder { path: PathBuf },

    #[error("cannot fetch {what}: {reason}. {advice}")]
    Fetch { what: String, reason: String, advice: &'static str },

    #[error(
        "{what} is needed for `--kafka embedded` and was not found. Install it (on Debian or Ubuntu: `{install}`), or use a Kafka of yours (`--kafka HOST:PORT`)"
    )]
    Missing { what: &'static str, install: &'static str },

    #[error(
        "found no free port for Kafka from 20000 to 29999 on 127.0.0.1. Stop a program that uses some of them"
    )]
    NoFreePort,

    #[error("{path} is not the pinned file ({reason}). Remove {folder} and start again; if it happens again, do not trust the source of the download", path = .path.display(), folder = .folder.display())]
    WrongSum { path: PathBuf, folder: PathBuf, reason: String },
}

impl EmbeddedError {
    pub(crate) fn folder<P: Into<PathBuf>>(
        action: &'static str,
        path: P,
    ) -> impl FnOnce(io::Error) -> EmbeddedError + use<P> {
        let path = path.into();
        move |source| EmbeddedError::Folder { action, path, source }
    }
}
