//! A real Apache Kafka: one node that is broker and controller, on loopback.
//!
//! Layout of the data folder: `kafka/` holds the node's configuration, its ports and its `data/`, `kafka.log` its output;
//! the process that runs it holds the lock `kafka.lock`.

mod folder;
mod jars;
mod java;
mod ready;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::Instant;

use crate::child::{Child, Exit};
use crate::error::EmbeddedError;
use crate::folders;
use crate::launcher::Launcher;
use crate::lock::{self, Lock};
use crate::output;
use folder::{Folder, Ports};

const WHAT: &str = "Kafka";

/// A start usually takes 3 s, but many times that on a slow or busy machine, or when it recovers much data after a kill.
const READY_TIMEOUT: Duration = Duration::from_secs(300);
const REPORT_INTERVAL: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(50);
const KILL_TIMEOUT: Duration = Duration::from_secs(30);

/// Small and quick to start: it shares the machine with everything else, and runs for a test or an afternoon.
const JVM: [&str; 6] = [
    "-Xms256m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
];

#[derive(Debug, Clone)]
pub struct Options {
    /// Created if it does not exist.
    pub data_dir: PathBuf,
    /// The folder for the jars; see [`default_cache_dir`](crate::default_cache_dir).
    pub cache_dir: PathBuf,
}

impl Options {
    pub fn new(data_dir: impl Into<PathBuf>) -> Options {
        let data_dir = data_dir.into();
        let cache_dir = crate::default_cache_dir(&data_dir);
        Options { data_dir, cache_dir }
    }
}

/// A running Kafka. Dropping it tells the broker to stop and does not wait; [`stop`](Kafka::stop) does.
#[derive(Debug)]
pub struct Kafka {
    child: Child,
    ports: Ports,
    plan: Plan,
    /// Declared last, so that the child is told to stop before the folder is free.
    _lock: Lock,
}

/// Everything that is needed to start it, and to start it again.
#[derive(Debug)]
struct Plan {
    data: PathBuf,
    cache: PathBuf,
    launcher: Launcher,
}

impl Kafka {
    /// Starts the broker on the data folder. First downloads the jars and formats the folder, if that has not been done.
    pub async fn start(options: Options) -> Result<Kafka, EmbeddedError> {
        let data = folders::prepare(&options.data_dir)?;
        let lock = lock::acquire(WHAT, &data.join("kafka.lock"), &data).await?;
        let cache = std::path::absolute(&options.cache_dir)
            .map_err(EmbeddedError::folder("find the folder", &options.cache_dir))?;
        let plan = Plan { data, cache, launcher: Launcher::as_ourselves() };
        let (child, ports) = plan.launch().await?;
        Ok(Kafka { child, ports, plan, _lock: lock })
    }

    /// `127.0.0.1:PORT`. The same at the next start, unless another program took the port.
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.ports.broker)
    }

    pub fn pid(&self) -> i32 {
        self.child.pid()
    }

    /// Completes when the broker ends for any reason.
    pub fn exited(&self) -> impl Future<Output = Exit> + Send + 'static + use<> {
        self.child.exited()
    }

    /// Starts the broker again after it [`exited`](Kafka::exited), and keeps the lock on the data folder in between. If the
    /// broker is running, stops it first.
    pub async fn restart(&mut self) -> Result<(), EmbeddedError> {
        (self.child, self.ports) = self.plan.launch().await?;
        Ok(())
    }

    /// Stops the broker gracefully. Kills it after the timeout.
    pub async fn stop(self, timeout: Duration) -> Result<(), EmbeddedError> {
        if self.child.has_exited() {
            return Ok(());
        }
        match self.child.stop(&[(Signal::SIGTERM, timeout), (Signal::SIGKILL, KILL_TIMEOUT)]).await {
            Some(0) => Ok(()),
            _ => Err(EmbeddedError::StoppedHard { what: WHAT, timeout }),
        }
    }
}

/// Whether a broker serves at this loopback address, as [`Kafka::bootstrap`] gives it, whichever process runs it.
pub async fn is_serving(bootstrap: &str) -> bool {
    match bootstrap.parse::<std::net::SocketAddr>() {
        Ok(address) => ready::is_serving(address.port()).await,
        Err(_) => false,
    }
}

impl Plan {
    async fn launch(&self) -> Result<(Child, Ports), EmbeddedError> {
        let folder = Folder::in_data(&self.data);
        let output_file = self.data.join("kafka.log");
        folder.clear().await?;
        let java = java::find()?;
        let class_path = jars::class_path(&self.cache, &self.launcher, &output_file).await?;
        output::rotate(&output_file)?;

        let ports = folder.configure()?;
        if !folder.is_formatted() {
            let mut command = self.java(&java, &class_path, &folder, Signal::SIGKILL);
            command.args(folder.format_arguments()?);
            run("formatting Kafka's data folder", command, &java, &output_file).await?;
            folder.finish_format()?;
        }
        let mut command = self.java(&java, &class_path, &folder, Signal::SIGTERM);
        command.args(folder.run_arguments());
        output::attach(&mut command, &output_file)?;
        let child = Child::spawn(command, Signal::SIGTERM)
            .await
            .map_err(|source| EmbeddedError::CannotRun { program: java, source, advice: "" })?;
        wait_until_ready(&child, ports, &output_file).await?;
        tracing::info!("Kafka {} answers at 127.0.0.1:{}", jars::VERSION, ports.broker);
        Ok((child, ports))
    }

    /// It runs in its folder, so its configuration needs no absolute paths, and a later start recognises it.
    fn java(&self, java: &Path, class_path: &std::ffi::OsStr, folder: &Folder, at_end: Signal) -> Command {
        let mut command = self.launcher.command(java, at_end);
        command.current_dir(folder.path()).args(JVM).arg("-cp").arg(class_path);
        command
    }
}

/// Runs a command that ends by itself, with its output in the file.
async fn run(
    what: &'static str,
    mut command: Command,
    program: &Path,
    output_file: &Path,
) -> Result<(), EmbeddedError> {
    output::attach(&mut command, output_file)?;
    let child = Child::spawn(command, Signal::SIGKILL).await.map_err(|source| EmbeddedError::CannotRun {
        program: program.to_path_buf(),
        source,
        advice: "",
    })?;
    let exit = child.exited().await;
    if exit.success() {
        return Ok(());
    }
    let tail = output::tail(output_file);
    Err(EmbeddedError::Failed { what, exit: exit.to_string(), output: output_file.to_path_buf(), tail })
}

async fn wait_until_ready(child: &Child, ports: Ports, output_file: &Path) -> Result<(), EmbeddedError> {
    let started = Instant::now();
    let mut report_at = started + REPORT_INTERVAL;
    loop {
        if ready::is_serving(ports.broker).await {
            return Ok(());
        }
        let output = output_file.to_path_buf();
        if child.has_exited() {
            let exit = child.exited().await.to_string();
            return Err(EmbeddedError::Failed { what: WHAT, exit, tail: output::tail(&output), output });
        }
        if started.elapsed() > READY_TIMEOUT {
            let tail = output::tail(&output);
            return Err(EmbeddedError::NotReady { what: WHAT, timeout: READY_TIMEOUT, tail, output });
        }
        if Instant::now() > report_at {
            tracing::info!("Kafka is still starting ({} s)", started.elapsed().as_secs());
            report_at += REPORT_INTERVAL;
        }
        tokio::time::sleep(POLL).await;
    }
}
