//! Processes of the real binary: started, waited for, killed, and never left behind.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use recount_test_support::{eventually, eventually_blocking, eventually_some};
use tempfile::TempDir;

use crate::http::Client;

/// A new cluster, on a machine that does many other things at the same time.
const READY_BOUND: Duration = Duration::from_secs(90);
/// A process that was asked to finish drains for 12 s, and its children have 10 s each.
const STOP_BOUND: Duration = Duration::from_secs(40);
/// Commands that end by themselves; a database that is not there is waited for during 30 s.
const RUN_BOUND: Duration = Duration::from_secs(90);
const KILL_BOUND: Duration = Duration::from_secs(10);

/// Outside of the range from which connections get their local ports, and of the one of the embedded Kafka: what is
/// free when it is looked for stays free until it is used.
const PORTS: std::ops::Range<u16> = 10_000..19_000;

/// The binary that is tested: named by `RECOUNT_BIN`, or beside the tests in cargo's target folder.
pub fn binary() -> PathBuf {
    let named = std::env::var_os("RECOUNT_BIN").filter(|path| !path.is_empty()).map(PathBuf::from);
    let path = named.unwrap_or_else(|| {
        let tests = std::env::current_exe().expect("a running program has a path");
        let profile = tests.ancestors().nth(2).expect("tests are in `deps` of cargo's target folder");
        profile.join("recount")
    });
    assert!(
        path.is_file(),
        "{} is not there: run `cargo xtask test`, or `cargo build -p recount` first, or set RECOUNT_BIN",
        path.display()
    );
    path
}

/// An address on loopback that no other test has, and where nobody listens.
pub fn free_address() -> SocketAddr {
    static GIVEN: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Mutex::default);
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let count = u64::from(PORTS.end - PORTS.start);
    for n in 0..10_000_u32 {
        let offset = RandomState::new().hash_one(n) % count;
        let port = PORTS.start + u16::try_from(offset).expect("the range is within the ports");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if !given.contains(&port) && TcpListener::bind(address).is_ok() {
            given.insert(port);
            return address;
        }
    }
    panic!("no port is free from {} to {}", PORTS.start, PORTS.end);
}

/// A folder that goes away at the end of the test, and that the user whom Postgres runs as can enter.
pub fn folder() -> TempDir {
    let folder = tempfile::Builder::new()
        .prefix("recount-e2e-")
        .permissions(fs::Permissions::from_mode(0o755))
        .tempdir();
    folder.expect("the folder for temporary files can be written to")
}

/// What a command that ended by itself left.
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

    /// A program that listens, on a free address of its own, the same at each start.
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

    /// Starts it and does not wait.
    pub fn spawn(&self) -> Process {
        let output = folder();
        let file = |name| File::create(output.path().join(name)).expect("the folder is new");
        let mut command = Command::new(binary());
        for (name, _) in std::env::vars_os() {
            // The settings of whoever runs the tests are not those of what is tested; where the cache is, is no matter.
            if name.as_encoded_bytes().starts_with(b"RECOUNT_") && name != "RECOUNT_CACHE" {
                command.env_remove(name);
            }
        }
        // A trace of calls is for developers; what is tested is what everybody is told.
        command.env_remove("RUST_BACKTRACE");
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
        let status = process.ended(RUN_BOUND).await;
        Ended { status, stdout: process.stdout(), stderr: process.stderr() }
    }

    /// Runs it to an end that must be a good one.
    pub async fn run_ok(&self) -> Ended {
        let ended = self.run().await;
        assert!(ended.status.success(), "{:?}: {ended:?}", self.arguments);
        ended
    }
}

/// A process of Recount. It is killed with this value.
#[derive(Debug)]
pub struct Process {
    program: Program,
    child: Child,
    output: TempDir,
}

impl Process {
    /// Asks it, without a key.
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
        let bytes = fs::read(self.output.path().join(name)).expect("it was made at the start");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits until it says that it is ready.
    pub async fn ready(&mut self) {
        let client = self.client();
        eventually(READY_BOUND, &format!("{:?} is ready", self.program.arguments), || {
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
        self.ended(KILL_BOUND).await;
    }

    /// Asks it to finish, and waits until it has.
    pub async fn stop(&mut self) -> ExitStatus {
        kill(Pid::from_raw(self.id()), Signal::SIGTERM).expect("it has not been waited for");
        self.ended(STOP_BOUND).await
    }

    /// Starts it again, as it was started.
    pub async fn start_again(&mut self) {
        *self = self.program.start().await;
    }

    /// Waits until it has ended.
    pub async fn ended(&mut self, bound: Duration) -> ExitStatus {
        let what = format!("{:?} has ended", self.program.arguments);
        eventually_some(bound, &what, || {
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
        // They would end by themselves, but may write into a folder that is about to be removed.
        for child in children.iter().filter(|child| is_running(**child)) {
            let _ = kill(Pid::from_raw(*child), Signal::SIGKILL);
        }
        eventually_blocking(KILL_BOUND, || !children.iter().any(|child| is_running(*child)));
        if std::thread::panicking() {
            eprintln!("---- {:?}\n{}", self.program.arguments, self.stderr());
        }
    }
}

/// The first process of the private Postgres in this data folder.
pub fn postgres_of(data: &Path) -> i32 {
    let text = fs::read_to_string(data.join("postgres").join("postmaster.pid"));
    let text = text.expect("a running Postgres has a pid file");
    text.lines().next().and_then(|line| line.trim().parse().ok()).expect("its first line is the process id")
}

/// Kills a process that is no child of ours.
pub fn kill_now(id: i32) {
    kill(Pid::from_raw(id), Signal::SIGKILL).expect("it runs, and as somebody whom we may kill");
}

/// Waits until the process is gone.
pub async fn gone(id: i32) {
    eventually(KILL_BOUND, &format!("process {id} is gone"), || async { !is_running(id) }).await;
}

fn is_running(id: i32) -> bool {
    // What has ended and was not waited for, by whoever should, runs no more.
    status(id, "State").is_some_and(|state| !state.starts_with('Z'))
}

/// All processes that descend from this one.
pub fn descendants(id: i32) -> Vec<i32> {
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
    found.split_off(1)
}

fn parent_of(id: i32) -> Option<i32> {
    status(id, "PPid")?.parse().ok()
}

/// What the kernel says of a process under this name.
fn status(id: i32, name: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(line.trim().to_owned())
}
