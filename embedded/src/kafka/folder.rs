//! The node's folder: its ports and configuration, its data (created completely or not at all), and the removal of what a
//! killed node left behind.

use std::ffi::OsString;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nix::sys::signal::Signal;
use sha2::{Digest, Sha256};
use tokio::net::TcpSocket;

use super::WHAT;
use crate::error::EmbeddedError;
use crate::folders;
use crate::orphans::{self, Process, Step};

const STOP_TIMEOUT: Duration = Duration::from_secs(30);
/// On an idle machine, a killed process ends at once.
const KILL_TIMEOUT: Duration = Duration::from_secs(30);

/// Below the ports that the kernel assigns to outgoing connections, so that none of those occupies them at the next start.
const FIRST_PORT: u16 = 20_000;
const PORTS: u16 = 10_000;

/// Paths relative to the folder, in which the node runs.
const CONFIGURATION: &str = "server.properties";
const FORMAT_CONFIGURATION: &str = "format.properties";
const DATA: &str = "data";
const FRESH_DATA: &str = "data.new";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ports {
    pub(super) broker: u16,
    controller: u16,
}

#[derive(Debug)]
pub(super) struct Folder {
    data: PathBuf,
    path: PathBuf,
}

impl Folder {
    pub(super) fn in_data(data: &Path) -> Folder {
        Folder { data: data.to_path_buf(), path: data.join("kafka") }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Stops a node that still runs here. Call it only with the lock held: then no living process is responsible for that
    /// node.
    pub(super) async fn clear(&self) -> Result<(), EmbeddedError> {
        let folder = self.path.clone();
        let ours = move |process: &Process| {
            process.working_dir == folder
                && process.arguments.iter().any(|argument| argument == "kafka.Kafka")
        };
        let steps = [
            Step { only: None, signal: Signal::SIGTERM, timeout: STOP_TIMEOUT },
            Step { only: None, signal: Signal::SIGKILL, timeout: KILL_TIMEOUT },
        ];
        orphans::stop(WHAT, &self.data, ours, &steps).await
    }

    /// Writes the configuration with the ports of the last run, or with new ones if those are in use.
    pub(super) fn configure(&self) -> Result<Ports, EmbeddedError> {
        folders::make_private(&self.path, None)?;
        let file = self.path.join("ports");
        let ports = self.choose_ports(&file)?;
        self.write("ports", &format!("{} {}\n", ports.broker, ports.controller))?;
        self.write(CONFIGURATION, &configuration(ports, DATA))?;
        self.write(FORMAT_CONFIGURATION, &configuration(ports, FRESH_DATA))?;
        Ok(ports)
    }

    pub(super) fn is_formatted(&self) -> bool {
        self.path.join(DATA).join("meta.properties").exists()
    }

    /// Formats a temporary folder, which gets its final name in [`finish_format`](Folder::finish_format).
    pub(super) fn format_arguments(&self) -> Result<Vec<OsString>, EmbeddedError> {
        tracing::info!("formatting Kafka's data folder in {}", self.path.display());
        folders::remove_if_there(&self.path.join(FRESH_DATA))?;
        let id = self.cluster_id();
        let words = ["kafka.tools.StorageTool", "format", "-t", &id, "-c", FORMAT_CONFIGURATION];
        Ok(words.map(OsString::from).to_vec())
    }

    pub(super) fn finish_format(&self) -> Result<(), EmbeddedError> {
        let (fresh, data) = (self.path.join(FRESH_DATA), self.path.join(DATA));
        fs::rename(fresh, &data).map_err(EmbeddedError::folder("move Kafka's new data folder to", data))
    }

    pub(super) fn run_arguments(&self) -> [&'static str; 2] {
        ["kafka.Kafka", CONFIGURATION]
    }

    fn write(&self, name: &str, content: &str) -> Result<(), EmbeddedError> {
        let path = self.path.join(name);
        fs::write(&path, content).map_err(EmbeddedError::folder("write", path))
    }

    fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.path.as_os_str().as_encoded_bytes()).into()
    }

    /// 16 bytes in base64. The id tells clusters apart and is no secret, so a hash of the path is good enough.
    fn cluster_id(&self) -> String {
        let mut id = [0; 16];
        id.copy_from_slice(&self.hash()[..16]);
        // A leading `-` would be taken for an option.
        id[0] &= 0x7f;
        URL_SAFE_NO_PAD.encode(id)
    }

    fn choose_ports(&self, file: &Path) -> Result<Ports, EmbeddedError> {
        let used = fs::read_to_string(file).ok().and_then(|content| {
            let (broker, controller) = content.trim().split_once(' ')?;
            Some(Ports { broker: broker.parse().ok()?, controller: controller.parse().ok()? })
        });
        if let Some(used) = used
            && is_free(used.broker)
            && is_free(used.controller)
        {
            return Ok(used);
        }
        // Each folder starts its search at another port, so that nodes started at the same time do not collide.
        let hash = self.hash();
        let start = u16::from_be_bytes([hash[0], hash[1]]);
        let mut free =
            (0..PORTS).map(|step| FIRST_PORT + (start % PORTS + step) % PORTS).filter(|port| is_free(*port));
        match (free.next(), free.next()) {
            (Some(broker), Some(controller)) => Ok(Ports { broker, controller }),
            _ => Err(EmbeddedError::NoFreePort),
        }
    }
}

/// Whether a server could listen there. This looks without listening: a child that another thread is just starting has
/// a copy of the socket until it runs its own program, and one that listens would keep the port taken as long as that.
fn is_free(port: u16) -> bool {
    let bound = TcpSocket::new_v4().and_then(|socket| {
        socket.set_reuseaddr(true)?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    });
    bound.is_ok()
}

/// The session is shorter than Kafka's 9 s because the controller takes a killed broker for living that long,
/// and lets the next one wait.
fn configuration(ports: Ports, log_dirs: &str) -> String {
    let Ports { broker, controller } = ports;
    format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{broker}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={log_dirs}
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
"
    )
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn looking_at_a_port_takes_it_from_nobody_and_finds_who_listens() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(!is_free(listener.local_addr().unwrap().port()));

        // As a child has it that was being started while somebody looked.
        let look = TcpSocket::new_v4().unwrap();
        look.set_reuseaddr(true).unwrap();
        look.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let port = look.local_addr().unwrap().port();
        assert!(is_free(port));
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    }

    #[test]
    fn ports_are_kept_until_somebody_takes_them() {
        let data = tempfile::tempdir().unwrap();
        let folder = Folder::in_data(data.path());
        let first = folder.configure().unwrap();
        assert_eq!(folder.configure().unwrap(), first);

        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, first.broker)).unwrap();
        let second = folder.configure().unwrap();
        assert_ne!(second.broker, first.broker);
        drop(taken);
        assert_eq!(folder.configure().unwrap(), second);
    }
}
