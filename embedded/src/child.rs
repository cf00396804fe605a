//! One child process and the thread that keeps it.
//!
//! The thread spawns the child, reaps it, and is the only one to signal it. There are two reasons. The signal that a child
//! gets when its parent dies is tied to the *thread* that spawned it, so this thread has to live as long as the child. And
//! because one place both reaps and signals, a process id that now belongs to another process is never signalled.

use std::future::Future;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::{mpsc, oneshot, watch};

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    status: Option<ExitStatus>,
}

impl Exit {
    pub(crate) fn success(self) -> bool {
        self.status.is_some_and(|status| status.success())
    }
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.status.map(|status| (status.code(), status.signal())) {
            Some((Some(code), _)) => write!(f, "exit code {code}"),
            Some((None, Some(signal))) => write!(f, "killed by signal {signal}"),
            _ => f.write_str("ended in an unknown way"),
        }
    }
}

/// Dropping this value sends the child the `farewell` signal and does not wait.
#[derive(Debug)]
pub(crate) struct Child {
    pid: i32,
    signals: mpsc::UnboundedSender<Signal>,
    exit: watch::Receiver<Option<Exit>>,
}

impl Child {
    /// Spawns the command in its own process group, so that a Ctrl-C at the terminal reaches only the parent, which then
    /// stops its children in order.
    pub(crate) async fn spawn(mut command: Command, farewell: Signal) -> io::Result<Child> {
        use std::os::unix::process::CommandExt;
        command.process_group(0);
        let (signals, inbox) = mpsc::unbounded_channel();
        let (announce_exit, exit) = watch::channel(None);
        let (announce_start, started) = oneshot::channel();
        std::thread::Builder::new().name("child-keeper".to_owned()).spawn(move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_io().build() {
                Ok(runtime) => runtime,
                Err(error) => {
                    let _ = announce_start.send(Err(error));
                    return;
                }
            };
            runtime.block_on(keep(command, farewell, announce_start, inbox, announce_exit));
        })?;
        let pid = started.await.map_err(|_| io::Error::other("the keeper of the child ended"))??;
        Ok(Child { pid, signals, exit })
    }

    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    pub(crate) fn signal(&self, signal: Signal) {
        // The keeper ends only with the child, and then there is no process to signal.
        let _ = self.signals.send(signal);
    }

    pub(crate) fn has_exited(&self) -> bool {
        self.exit.borrow().is_some()
    }

    pub(crate) fn exited(&self) -> impl Future<Output = Exit> + Send + 'static + use<> {
        let mut exit = self.exit.clone();
        async move {
            match exit.wait_for(Option::is_some).await {
                Ok(found) => (*found).unwrap_or(Exit { status: None }),
                Err(_) => Exit { status: None },
            }
        }
    }

    /// Sends the signals one after the other, waiting after each for as long as its timeout says.
    /// Returns the index of the signal that ended the child.
    pub(crate) async fn stop(&self, escalation: &[(Signal, Duration)]) -> Option<usize> {
        for (index, (signal, timeout)) in escalation.iter().enumerate() {
            self.signal(*signal);
            if tokio::time::timeout(*timeout, self.exited()).await.is_ok() {
                return Some(index);
            }
        }
        None
    }
}

async fn keep(
    command: Command,
    farewell: Signal,
    announce_start: oneshot::Sender<io::Result<i32>>,
    mut inbox: mpsc::UnboundedReceiver<Signal>,
    announce_exit: watch::Sender<Option<Exit>>,
) {
    let spawned = tokio::process::Command::from(command).spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => {
            let _ = announce_start.send(Err(error));
            return;
        }
    };
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).unwrap_or_default();
    let mut listening = announce_start.send(Ok(pid)).is_ok();
    if !listening {
        let _ = kill(Pid::from_raw(pid), farewell);
    }
    loop {
        tokio::select! {
            status = child.wait() => {
                announce_exit.send_replace(Some(Exit { status: status.ok() }));
                return;
            }
            signal = inbox.recv(), if listening => {
                listening = signal.is_some();
                // The child is not reaped yet, so the id is still its own.
                let _ = kill(Pid::from_raw(pid), signal.unwrap_or(farewell));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper() -> Command {
        let mut command = Command::new("sleep");
        command.arg("300");
        command
    }

    #[tokio::test]
    async fn dropping_a_child_sends_it_the_farewell_signal() {
        // Not SIGINT: a shell that runs the tests in the background ignores it, and children inherit that.
        let child = Child::spawn(sleeper(), Signal::SIGTERM).await.unwrap();
        let exited = child.exited();
        drop(child);
        assert_eq!(exited.await.to_string(), "killed by signal 15");
    }

    #[tokio::test]
    async fn stopping_tells_which_signal_ended_the_child() {
        // The second of these signals ends it, the first does not, and it leaves no children behind.
        let child = Child::spawn(sleeper(), Signal::SIGKILL).await.unwrap();
        let short = Duration::from_millis(1);
        let long = Duration::from_secs(120);
        assert_eq!(child.stop(&[(Signal::SIGCONT, short), (Signal::SIGKILL, long)]).await, Some(1));
        assert!(child.has_exited());
    }

    #[tokio::test]
    async fn a_missing_program_is_an_error() {
        let error = Child::spawn(Command::new("/no/such/program"), Signal::SIGINT).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
