//! Processes of the real binary: started, waited for, killed, and never left behind.

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

/// A new cluster, and a Kafka with it, on a slow machine that does many other things at the same time.
const READY_BOUND: Duration = Duration::from_secs(300);
/// A process that was asked to finish drains for 12 s, and its children have 60 s each.
const STOP_BOUND: Duration = Duration::from_secs(180);
/// Commands that end by themselves; a database that is not there is waited for during 30 s.
const RUN_BOUND: Duration = Duration::from_secs(180);
const KILL_BOUND: Duration = Duration::from_secs(120);

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
        for child in children.iter().filter(|child| child.is_running()) {
            let _ = kill(Pid::from_raw(child.id), Signal::SIGKILL);
        }
        eventually_blocking(KILL_BOUND, || !children.iter().any(|child| child.is_running()));
        if std::thread::panicking() {
            eprintln!("---- {:?}\n{}", self.program.arguments, self.stderr());
        }
    }
}

/// The first process of the private Postgres in this data folder.
pub fn postgres_of(data: &Path) -> Seen {
    let text = fs::read_to_string(data.join("postgres").join("postmaster.pid"));
    let text = text.expect("a running Postgres has a pid file");
    let id = text.lines().next().and_then(|line| line.trim().parse().ok());
    id.and_then(Seen::now).expect("its first line is the id of a process")
}

/// Kills a process that is no child of ours.
pub fn kill_now(id: i32) {
    kill(Pid::from_raw(id), Signal::SIGKILL).expect("it runs, and as somebody whom we may kill");
}

/// A process that was seen running. It is known by when it began, as its id may find another owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    pub id: i32,
    began: u64,
}

impl Seen {
    /// Nothing if there is no such process.
    fn now(id: i32) -> Option<Seen> {
        Some(Seen { id, began: stat(id, BEGAN)?.parse().ok()? })
    }

    fn is_running(self) -> bool {
        // What has ended and was not waited for, by whoever should, runs no more.
        Seen::now(self.id) == Some(self) && stat(self.id, STATE).is_some_and(|state| state != "Z")
    }

    fn is_paused(self) -> bool {
        stat(self.id, STATE).is_some_and(|state| state == "T")
    }
}

/// Waits until the process is gone.
pub async fn gone(process: Seen) {
    eventually(KILL_BOUND, &format!("{process:?} is gone"), || async { !process.is_running() }).await;
}

/// Lets all that descends from this process stand still, until [`resume`].
pub async fn pause_descendants(id: i32) -> Vec<Seen> {
    eventually_some(KILL_BOUND, "all descendants stand still", || async {
        let (paused, others): (Vec<Seen>, Vec<Seen>) =
            descendants(id).into_iter().partition(|process| process.is_paused());
        let running: Vec<&Seen> = others.iter().filter(|process| process.is_running()).collect();
        for process in &running {
            // One that ends right now needs no stopping.
            let _ = kill(Pid::from_raw(process.id), Signal::SIGSTOP);
        }
        // Looked at again if there were any: one of them may just have started another.
        running.is_empty().then_some(paused)
    })
    .await
}

/// Lets processes that were paused go on.
pub fn resume(paused: &[Seen]) {
    for process in paused {
        kill(Pid::from_raw(process.id), Signal::SIGCONT).expect("what is paused cannot end");
    }
}

/// All processes that descend from this one.
pub fn descendants(id: i32) -> Vec<Seen> {
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
    found.into_iter().skip(1).filter_map(Seen::now).collect()
}

fn parent_of(id: i32) -> Option<i32> {
    stat(id, PARENT)?.parse().ok()
}

/// Fields of what the kernel says of a process, after its name.
const STATE: usize = 0;
const PARENT: usize = 1;
const BEGAN: usize = 19;

fn stat(id: i32, field: usize) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // From `4711 (postgres) S 1 …`, where the name may hold anything.
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(field).map(str::to_owned)
}
