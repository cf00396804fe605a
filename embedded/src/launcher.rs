//! Starts child processes as the right user, with a signal for the death of their parent.
//!
//! `setpriv` of util-linux, which every common Linux has, does both: it changes the user, *then* sets the parent-death
//! signal (changing the user clears it), and executes the program. Without it, children run all the same, and the next
//! start removes what a killed parent left behind.

use std::env;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use nix::unistd::{Uid, User};

use crate::error::EmbeddedError;
use crate::folders;

/// Lets an unprivileged server reach its files below folders that only root can enter.
const REACH: [&str; 2] = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"];

#[derive(Debug, Clone)]
pub(crate) struct RunAs {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

#[derive(Debug, Clone)]
pub(crate) struct Launcher {
    setpriv: Option<PathBuf>,
    run_as: Option<RunAs>,
    reach: bool,
}

impl Launcher {
    /// Runs children as the user of this process.
    pub(crate) fn as_ourselves() -> Launcher {
        Launcher { setpriv: find_program("setpriv"), run_as: None, reach: false }
    }

    /// For a server that refuses to run as root: if this process runs as root, children run as the owner of `belongings`
    /// if that is another user, otherwise as `postgres` or `nobody`.
    pub(crate) fn unprivileged(belongings: Option<u32>) -> Result<Launcher, EmbeddedError> {
        let mut launcher = Launcher::as_ourselves();
        if Uid::effective().is_root() {
            launcher.run_as = Some(choose_user(belongings)?);
        }
        Ok(launcher)
    }

    /// The same, able to work in this folder even if only root can enter it.
    pub(crate) fn reaching(mut self, folder: &Path) -> Result<Launcher, EmbeddedError> {
        if let Err(refusal) = self.may_pass(folder) {
            self.reach = true;
            if !self.works() {
                return Err(refusal);
            }
        }
        Ok(self)
    }

    /// Whether its children can get there with ordinary permissions. Programs need that: they check for their own files
    /// with `access(2)`, which ignores capabilities.
    pub(crate) fn may_pass(&self, folder: &Path) -> Result<(), EmbeddedError> {
        let Some(user) = &self.run_as else {
            return Ok(());
        };
        match folders::first_closed_to(folder, user.uid, user.gid) {
            None => Ok(()),
            Some(folder) => Err(EmbeddedError::NotTraversable { user: user.name.clone(), folder }),
        }
    }

    /// The user and group that the server's files must belong to, if it is another user than ours.
    pub(crate) fn owner(&self) -> Option<(u32, u32)> {
        self.run_as.as_ref().map(|user| (user.uid, user.gid))
    }

    /// A command that runs the program in a folder that every user can enter.
    pub(crate) fn command(&self, program: &Path, at_parents_death: Signal) -> Command {
        let mut command = match &self.setpriv {
            Some(setpriv) => self.through_setpriv(setpriv, program, at_parents_death),
            None => self.directly(program),
        };
        command.current_dir("/").stdin(Stdio::null());
        command
    }

    fn through_setpriv(&self, setpriv: &Path, program: &Path, at_parents_death: Signal) -> Command {
        let mut command = Command::new(setpriv);
        if let Some(user) = &self.run_as {
            command.arg(format!("--reuid={}", user.uid)).arg(format!("--regid={}", user.gid));
            command.arg("--clear-groups");
        }
        if self.reach {
            command.args(REACH);
        }
        // `setpriv` takes the names without `SIG`.
        let signal = at_parents_death.as_str().trim_start_matches("SIG");
        command.arg(format!("--pdeathsig={signal}")).arg("--").arg(program);
        command
    }

    fn directly(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if let Some(user) = &self.run_as {
            command.uid(user.uid).gid(user.gid);
        }
        command
    }

    fn works(&self) -> bool {
        let nothing = Path::new("true");
        self.setpriv.is_some()
            && self
                .command(nothing, Signal::SIGKILL)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success())
    }
}

fn choose_user(belongings: Option<u32>) -> Result<RunAs, EmbeddedError> {
    let by_owner = belongings.filter(|uid| *uid != 0).map(|uid| {
        let known = User::from_uid(Uid::from_raw(uid)).ok().flatten();
        known.map_or(RunAs { name: uid.to_string(), uid, gid: uid }, RunAs::from)
    });
    let by_name = |name: &str| User::from_name(name).ok().flatten().map(RunAs::from);
    by_owner
        .or_else(|| by_name("postgres"))
        .or_else(|| by_name("nobody"))
        .ok_or(EmbeddedError::NoUnprivilegedUser)
}

impl From<User> for RunAs {
    fn from(user: User) -> RunAs {
        RunAs { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw() }
    }
}

pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).filter(|folder| folder.is_absolute()).map(|folder| folder.join(name)).find(
        |path| {
            use std::os::unix::fs::PermissionsExt;
            path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
        },
    )
}
