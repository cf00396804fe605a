//! Processes of the real binary: starting, waiting and killing. None outlives its test.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use recount_test_support::{eventually, eventually_blocking, eventually_some, free_address};
use tempfile::TempDir;

use crate::http::Client;

/// A start with a new cluster and a Kafka, on a slow and busy machine.
const READY_TIMEOUT: Duration = Duration::from_secs(300);
/// A process that stops drains for 12 s, and its children have 60 s each.
const STOP_TIMEOUT: Duration = Duration::from_secs(180);
/// For commands that end by themselves. They wait 30 s for a database that is unreachable.
const RUN_TIMEOUT: Duration = Duration::from_secs(180);
const KILL_TIMEOUT: Duration = Duration::from_secs(120);

/// The binary under test: `RECOUNT_BIN`, or the one in cargo's target folder beside the tests.
pub fn binary() -> PathBuf {
    let named = std::env::var_os("RECOUNT_BIN").filter(|path| !path.is_empty()).map(PathBuf::from);
    let path = named.unwrap_or_else(|| {
        let tests = std::env::current_exe().expect("a running program has a path");
        let profile = tests.ancestors().nth(2).expect("tests are in `deps` of cargo's target folder");
        profile.join("recount")
    });
    assert!(
        path.is_file(),
        "{} does not exist: run `cargo xtask test`, or `cargo build -p recount` first, or set RECOUNT_BIN",
        path.display()
    );
    path
}

/// A folder that is removed at the end of the test. The user that runs Postgres can enter it.
pub fn folder() -> TempDir {
    let folder = tempfile::Builder::new()
        .prefix("recount-e2e-")
        .permissions(fs::Permissions::from_mode(0o755))
        .tempdir();
    folder.expect("the folder for temporary files can be written to")
}

/// The status and output of a command that has ended.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

/// How to start a process of Recount.
#[derive(Clone, Debug)]
pub struct Program {
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    address: Option<SocketAddr>,
}

impl Program {
    pub fn new<S: AsRef<str>>(arguments: impl IntoIterator<Item = S>) -> Program {
        let arguments = arguments.into_iter().map(|argument| argument.as_ref().to_owned()).collect();
        Program { arguments, environment: Vec::new(), address: None }
    }

    /// A program that listens on a free address, which is the same at each start.
    pub fn listening<S: AsRef<str>>(arguments: impl IntoIterator<Item = S>) -> Program {
        Program::new(arguments).listening_on(free_address())
    }

    #[must_use]
    pub fn listening_on(mut self, address: SocketAddr) -> Program {
        self.address = Some(address);
        self
    }

    #[must_use]
    pub fn argument(mut self, argument: impl AsRef<OsStr>) -> Program {
        self.arguments.push(argument.as_ref().to_str().expect("test paths are UTF-8").to_owned());
        self
    }

    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Program {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts it and waits until it is ready.
    pub async fn start(&self) -> Process {
        let mut process = self.spawn();
        process.ready().await;
        process
    }

    /// Starts it without waiting.
    pub fn spawn(&self) -> Process {
        let output = folder();
        let file = |name| File::create(output.path().join(name)).expect("the folder is new");
        let mut command = Command::new(binary());
        for (name, _) in std::env::vars_os() {
            // Settings of the user must not influence the test. The location of the cache does not.
            if name.as_encoded_bytes().starts_with(b"RECOUNT_") && name != "RECOUNT_CACHE" {
                command.env_remove(name);
            }
        }
        // Tests see the same error messages as users, without backtraces.
        command.env_remove("RUST_BACKTRACE");
        // The server of a test run has no fsync. A test can still set this variable itself.
        command.env("RECOUNT_ALLOW_UNSAFE_DATABASE", "true");
        let child = command
            .args(&self.arguments)
            .args(self.address.iter().flat_map(|address| ["--listen".to_owned(), address.to_string()]))
            .envs(self.environment.iter().cloned())
            .current_dir(output.path())
            .stdin(Stdio::null())
            .stdout(file("stdout"))
            .stderr(file("stderr"))
            .spawn()
            .expect("the binary can be started");
        Process { program: self.clone(), child, output }
    }

    /// Runs it to its end.
    pub async fn run(&self) -> Ended {
        let mut process = self.spawn();
        let status = process.ended(RUN_TIMEOUT).await;
        Ended { status, stdout: process.stdout(), stderr: process.stderr() }
    }

    /// Runs it to its end, which must be a success.
    pub async fn run_ok(&self) -> Ended {
        let ended = self.run().await;
        assert!(ended.status.success(), "{:?}: {ended:?}", self.arguments);
        ended
    }
}

/// A process of Recount. Dropping this value kills it.
#[derive(Debug)]
pub struct Process {
    program: Program,
    child: Child,
    output: TempDir,
}

impl Process {
    /// A client without a key.
    pub fn client(&self) -> Client {
        Client::new(self.address())
    }

    pub fn address(&self) -> SocketAddr {
        self.program.address.expect("this program listens")
    }

    pub fn id(&self) -> i32 {
        i32::try_from(self.child.id()).expect("Linux has no larger process ids")
    }

    pub fn stdout(&self) -> String {
        self.printed("stdout")
    }

    pub fn stderr(&self) -> String {
        self.printed("stderr")
    }

    fn printed(&self, name: &str) -> String {
        let bytes = fs::read(self.output.path().join(name)).expect("the file was created at the start");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits until it reports that it is ready.
    pub async fn ready(&mut self) {
        let client = self.client();
        eventually(READY_TIMEOUT, &format!("{:?} is ready", self.program.arguments), || {
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("{:?} ended ({status}):\n{}", self.program.arguments, self.stderr());
            }
            let asked = client.get("/readyz");
            async move { asked.send().await.is_ok_and(|answer| answer.status == 200) }
        })
        .await;
    }

    /// Kills it, as a power cut would.
    pub async fn kill(&mut self) {
        self.child.kill().expect("it has not been waited for");
        self.ended(KILL_TIMEOUT).await;
    }

    /// Asks it to finish, and waits until it has.
    pub async fn stop(&mut self) -> ExitStatus {
        kill(Pid::from_raw(self.id()), Signal::SIGTERM).expect("it has not been waited for");
        self.ended(STOP_TIMEOUT).await
    }

    /// Starts it again, as it was started.
    pub async fn start_again(&mut self) {
        *self = self.program.start().await;
    }

    /// Waits until it has ended.
    pub async fn ended(&mut self, timeout: Duration) -> ExitStatus {
        let what = format!("{:?} has ended", self.program.arguments);
        eventually_some(timeout, &what, || {
            let status = self.child.try_wait().expect("it is our child");
            async move { status }
        })
        .await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let children = descendants(self.id());
        // It fails only if the process has ended and was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
        // They would end by themselves, but they may write into a folder that is about to be removed.
        for child in children.iter().filter(|child| child.is_running()) {
            let _ = kill(Pid::from_raw(child.id), Signal::SIGKILL);
        }
        eventually_blocking(KILL_TIMEOUT, || !children.iter().any(|child| child.is_running()));
        if std::thread::panicking() {
            eprintln!("---- {:?}\n{}", self.program.arguments, self.stderr());
        }
    }
}

/// The postmaster of the private Postgres in this data folder.
pub fn postgres_of(data: &Path) -> ProcessId {
    let text = fs::read_to_string(data.join("postgres").join("postmaster.pid"));
    let text = text.expect("a running Postgres has a pid file");
    let id = text.lines().next().and_then(|line| line.trim().parse().ok());
    id.and_then(ProcessId::now).expect("its first line is the id of a process")
}

/// Kills a process that is not a child of the test.
pub fn kill_now(id: i32) {
    kill(Pid::from_raw(id), Signal::SIGKILL).expect("the process runs, and the test may kill it");
}

/// A process that was seen running. Its start time identifies it, because the id may be reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessId {
    pub id: i32,
    start_time: u64,
}

impl ProcessId {
    /// `None` if there is no such process.
    fn now(id: i32) -> Option<ProcessId> {
        Some(ProcessId { id, start_time: stat(id, START_TIME)?.parse().ok()? })
    }

    fn is_running(self) -> bool {
        // A zombie has ended, even if its parent has not waited for it.
        ProcessId::now(self.id) == Some(self) && stat(self.id, STATE).is_some_and(|state| state != "Z")
    }

    fn is_paused(self) -> bool {
        stat(self.id, STATE).is_some_and(|state| state == "T")
    }
}

/// Waits until the process is gone.
pub async fn wait_until_gone(process: ProcessId) {
    eventually(KILL_TIMEOUT, &format!("{process:?} is gone"), || async { !process.is_running() }).await;
}

/// Pauses all descendants of this process, until [`resume`].
pub async fn pause_descendants(id: i32) -> Vec<ProcessId> {
    eventually_some(KILL_TIMEOUT, "all descendants are paused", || async {
        let (paused, others): (Vec<ProcessId>, Vec<ProcessId>) =
            descendants(id).into_iter().partition(|process| process.is_paused());
        let running: Vec<&ProcessId> = others.iter().filter(|process| process.is_running()).collect();
        for process in &running {
            // A process that ends right now need not be paused.
            let _ = kill(Pid::from_raw(process.id), Signal::SIGSTOP);
        }
        // If there were any, look again: one of them may just have started another process.
        running.is_empty().then_some(paused)
    })
    .await
}

/// Resumes paused processes.
pub fn resume(paused: &[ProcessId]) {
    for process in paused {
        kill(Pid::from_raw(process.id), Signal::SIGCONT).expect("a paused process cannot end");
    }
}

/// All descendants of this process.
pub fn descendants(id: i32) -> Vec<ProcessId> {
    let processes: Vec<(i32, i32)> = fs::read_dir("/proc")
        .expect("this is Linux")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|process| Some((process, parent_of(process)?)))
        .collect();
    let mut found = vec![id];
    let mut next = 0;
    while next < found.len() {
        let parent = found[next];
        found.extend(processes.iter().filter(|(_, of)| *of == parent).map(|(process, _)| process));
        next += 1;
    }
    found.into_iter().skip(1).filter_map(ProcessId::now).collect()
}

fn parent_of(id: i32) -> Option<i32> {
    stat(id, PARENT)?.parse().ok()
}

/// Fields of `/proc/PID/stat` after the name of the program.
const STATE: usize = 0;
const PARENT: usize = 1;
const START_TIME: usize = 19;

fn stat(id: i32, field: usize) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // From `4711 (postgres) S 1 …`, where the name may contain anything.
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(field).map(str::to_owned)
}
