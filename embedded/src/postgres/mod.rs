//! A private Postgres: one cluster in a data folder, reached through a unix socket that no other user can open.
//!
//! Layout of the data folder: `postgres/` is the cluster, `run/` holds the socket, `postgres.log` the server's output; the
//! process that runs the server holds the lock `postgres.lock`.

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

/// The superuser of a new cluster.
pub const USER: &str = "recount";

const WHAT: &str = "Postgres";

/// How long to wait for a server that another process runs or is just starting.
const ATTACH_TIMEOUT: Duration = Duration::from_secs(60);

const POLL: Duration = Duration::from_millis(50);

/// The place and the settings of a cluster.
#[derive(Debug, Clone)]
pub struct Options {
    /// Created if it does not exist.
    pub data_dir: PathBuf,
    /// The folder for downloaded binaries; see [`default_cache_dir`](crate::default_cache_dir).
    pub cache_dir: PathBuf,
    /// Server settings that override ours, such as `("fsync", "off")` for tests.
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

/// The source of `postgres` and `initdb`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Binaries {
    /// Those installed on the machine (15 or newer), or else downloaded ones.
    FindOrFetch,
    /// Downloaded ones, even if the machine has others.
    Fetch,
    /// Those in this folder.
    In(PathBuf),
}

/// A running Postgres. Dropping it tells the server to stop and does not wait; [`stop`](Postgres::stop) does.
#[derive(Debug)]
pub struct Postgres {
    socket: Socket,
    /// `None` if another process runs the server.
    server: Option<Server>,
}

impl Postgres {
    /// Starts the cluster in the data folder, and creates it first if there is none.
    pub async fn start(options: Options) -> Result<Postgres, EmbeddedError> {
        let data = folders::prepare(&options.data_dir)?;
        let lock = lock::acquire(WHAT, &lock_path(&data), &data).await?;
        let server = Server::start(options, data, lock).await?;
        Ok(Postgres { socket: server.socket().clone(), server: Some(server) })
    }

    /// Uses the server that another process runs on this data folder, and leaves it running at the end. Starts one if there
    /// is none.
    pub async fn attach_or_start(options: Options) -> Result<Postgres, EmbeddedError> {
        let data = folders::prepare(&options.data_dir)?;
        let socket = Socket::of(&data);
        let deadline = Instant::now() + ATTACH_TIMEOUT;
        loop {
            if let Attempt::Acquired(lock) = lock::try_acquire(&lock_path(&data))? {
                let server = Server::start(options, data, lock).await?;
                return Ok(Postgres { socket, server: Some(server) });
            }
            if ready::ask(&socket).await == ready::Answer::Ready {
                return Ok(Postgres { socket, server: None });
            }
            if Instant::now() >= deadline {
                let output = server::output_path(&data);
                return Err(EmbeddedError::RunningButSilent {
                    what: WHAT,
                    data,
                    timeout: ATTACH_TIMEOUT,
                    output,
                });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The `postgres://` URL of a database of this server, in the form that sqlx expects. The database `postgres` always
    /// exists.
    pub fn url(&self, database: &str) -> String {
        self.socket.url(USER, database)
    }

    /// Whether this process runs the server, and therefore stops it at the end.
    pub fn is_ours(&self) -> bool {
        self.server.is_some()
    }

    /// The id of the server's first process, if we run it.
    pub fn pid(&self) -> Option<i32> {
        self.server.as_ref().map(Server::pid)
    }

    /// Completes when the server ends for any reason. Never completes if another process runs it.
    pub fn exited(&self) -> impl Future<Output = Exit> + Send + 'static + use<> {
        let exited = self.server.as_ref().map(Server::exited);
        async move {
            match exited {
                Some(exited) => exited.await,
                None => std::future::pending().await,
            }
        }
    }

    /// Starts the server again after it [`exited`](Postgres::exited), and keeps the lock on the data folder in between. If
    /// the server is running, stops it first.
    pub async fn restart(&mut self) -> Result<(), EmbeddedError> {
        match &mut self.server {
            Some(server) => server.restart().await,
            None => Ok(()),
        }
    }

    /// Stops the server and rolls its clients' transactions back. Kills it after the timeout.
    pub async fn stop(self, timeout: Duration) -> Result<(), EmbeddedError> {
        match self.server {
            Some(server) => server.stop(timeout).await,
            None => Ok(()),
        }
    }
}

/// Whether the Postgres of this data folder accepts connections, whichever process runs it.
pub async fn accepts_connections(data_dir: &Path) -> bool {
    let Ok(data) = data_dir.canonicalize() else {
        return false;
    };
    ready::ask(&Socket::of(&data)).await == ready::Answer::Ready
}

fn lock_path(data: &Path) -> PathBuf {
    data.join("postgres.lock")
}
