//! A private Postgres: one cluster in a data folder, reached through a unix socket that nobody else can open.
//!
//! Layout of the data folder: `postgres/` is the cluster, `run/` holds the socket, `postgres.log` the server's
//! log, `postgres.lock` is held by the process that runs it.

mod binaries;
mod cluster;
#[cfg(feature = "fetch")]
mod fetch;
mod ready;
mod server;
mod socket;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use crate::child::Exit;
use crate::error::EmbeddedError;
use crate::folders;
use crate::lock::{self, Attempt};
use server::Server;
use socket::Socket;

/// The superuser that the cluster is made with.
pub const USER: &str = "recount";

const WHAT: &str = "Postgres";

/// How long to wait for a server that another process runs, or is just starting.
const ATTACH_BOUND: Duration = Duration::from_secs(60);

const POLL: Duration = Duration::from_millis(50);

/// Where the cluster is and how it runs.
#[derive(Debug, Clone)]
pub struct Options {
    /// Made if it is not there.
    pub data_dir: PathBuf,
    /// Where fetched binaries are kept; see [`default_cache_dir`](crate::default_cache_dir).
    pub cache_dir: PathBuf,
    /// Server settings that go before ours, such as `("fsync", "off")` for tests.
    pub settings: Vec<(String, String)>,
    pub binaries: Binaries,
}

impl Options {
    pub fn new(data_dir: impl Into<PathBuf>) -> Options {
        let data_dir = data_dir.into();
        let cache_dir = crate::default_cache_dir(&data_dir);
        Options { data_dir, cache_dir, settings: Vec::new(), binaries: Binaries::FindOrFetch }
    }
}

/// Where `postgres` and `initdb` come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Binaries {
    /// The machine's own (15 or newer), else fetched ones.
    FindOrFetch,
    /// Fetched ones, even if the machine has its own.
    Fetch,
    /// Those in this folder.
    In(PathBuf),
}

/// A running Postgres. Dropping it tells the server to stop and does not wait; [`stop`](Postgres::stop) does.
#[derive(Debug)]
pub struct Postgres {
    socket: Socket,
    /// `None` if another process runs it.
    server: Option<Server>,
}

impl Postgres {
    /// Starts the cluster in the data folder, making it first if need be.
    pub async fn start(options: Options) -> Result<Postgres, EmbeddedError> {
        let data = folders::prepare(&options.data_dir)?;
        let lock = lock::acquire(WHAT, &lock_path(&data), &data).await?;
        let server = Server::start(options, data, lock).await?;
        Ok(Postgres { socket: server.socket().clone(), server: Some(server) })
    }

    /// Uses the server that another process runs on this data folder, and leaves it running at the end; if
    /// there is none, starts one.
    pub async fn attach_or_start(options: Options) -> Result<Postgres, EmbeddedError> {
        let data = folders::prepare(&options.data_dir)?;
        let socket = Socket::of(&data);
        let deadline = Instant::now() + ATTACH_BOUND;
        loop {
            if let Attempt::Acquired(lock) = lock::try_acquire(&lock_path(&data))? {
                let server = Server::start(options, data, lock).await?;
                return Ok(Postgres { socket, server: Some(server) });
            }
            if ready::ask(&socket).await == ready::Answer::Ready {
                return Ok(Postgres { socket, server: None });
            }
            if Instant::now() >= deadline {
                let log = server::log_path(&data);
                return Err(EmbeddedError::RunningButSilent { what: WHAT, data, bound: ATTACH_BOUND, log });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// A `postgres://` URL for a database of this server, as sqlx takes it. `postgres` is always there.
    pub fn url(&self, database: &str) -> String {
        self.socket.url(USER, database)
    }

    /// Whether this process runs the server, and so stops it at the end.
    pub fn is_ours(&self) -> bool {
        self.server.is_some()
    }

    /// The id of the server's first process, if we run it.
    pub fn pid(&self) -> Option<i32> {
        self.server.as_ref().map(Server::pid)
    }

    /// Completes when the server ends, for whatever reason; never, if another process runs it.
    pub fn exited(&self) -> impl Future<Output = Exit> + Send + 'static + use<> {
        let exited = self.server.as_ref().map(Server::exited);
        async move {
            match exited {
                Some(exited) => exited.await,
                None => std::future::pending().await,
            }
        }
    }

    /// Starts the server again after it [`exited`](Postgres::exited), without letting go of the data folder
    /// in between. (Stops it first if it is alive.)
    pub async fn restart(&mut self) -> Result<(), EmbeddedError> {
        match &mut self.server {
            Some(server) => server.restart().await,
            None => Ok(()),
        }
    }

    /// Stops the server, its clients' transactions rolled back; kills it if that takes longer than the bound.
    pub async fn stop(self, bound: Duration) -> Result<(), EmbeddedError> {
        match self.server {
            Some(server) => server.stop(bound).await,
            None => Ok(()),
        }
    }
}

fn lock_path(data: &Path) -> PathBuf {
    data.join("postgres.lock")
}
