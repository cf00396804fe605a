//! The CPU shares of the load generator, the service, Postgres and everything else.

use std::fs;
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;

use crate::cores::{CoreTimes, Cores};

/// The unit of the times in `/proc`, which is the same on every current Linux, independent of the kernel's own tick.
const TICKS_PER_SECOND: u32 = 100;

/// The processes whose CPU time is measured.
#[derive(Clone, Debug)]
pub(crate) struct Processes {
    pub(crate) cores: Cores,
    pub(crate) service: u32,
    /// The postmaster. Its children count with it.
    pub(crate) postgres: u32,
}

/// Processor time, in ticks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CpuTimes {
    client: u64,
    service: u64,
    postgres: u64,
    cores: CoreTimes,
}

/// Shares of all cores together, in percent.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct CpuShares {
    pub(crate) client: f64,
    pub(crate) service: f64,
    pub(crate) postgres: f64,
    /// Processes that have nothing to do with the load. The larger this share, the less reliable the figures.
    pub(crate) others: f64,
    pub(crate) idle: f64,
}

impl Processes {
    pub(crate) fn times(&self) -> anyhow::Result<CpuTimes> {
        let own = stat_of(std::process::id()).context("no times of this process in /proc")?;
        let service = stat_of(self.service).context("the service has ended")?;
        Ok(CpuTimes {
            client: own.ticks,
            service: service.ticks,
            postgres: tree_ticks(self.postgres)?,
            cores: self.cores.times()?,
        })
    }

    /// The shares of the cores between two samples.
    pub(crate) fn shares(&self, before: CpuTimes, after: CpuTimes, passed: Duration) -> CpuShares {
        let whole = passed.as_secs_f64() * f64::from(self.cores.count()) * f64::from(TICKS_PER_SECOND);
        let share = |before: u64, after: u64| {
            // A sample can miss a Postgres session that ends at that moment.
            let ticks = u32::try_from(after.saturating_sub(before)).unwrap_or(u32::MAX);
            100.0 * f64::from(ticks) / whole
        };
        let client = share(before.client, after.client);
        let service = share(before.service, after.service);
        let postgres = share(before.postgres, after.postgres);
        let processes = share(before.cores.processes, after.cores.processes);
        CpuShares {
            client,
            service,
            postgres,
            others: (processes - client - service - postgres).max(0.0),
            idle: share(before.cores.idle, after.cores.idle),
        }
    }
}

/// The time of a process and its children, including those that have ended.
fn tree_ticks(root: u32) -> anyhow::Result<u64> {
    let first = stat_of(root).context("Postgres has ended")?;
    let children = fs::read_dir("/proc")?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(stat_of)
        .filter(|stat| stat.parent == root);
    Ok(first.ticks + first.ended_children_ticks + children.map(|stat| stat.ticks).sum::<u64>())
}

#[derive(Debug, PartialEq, Eq)]
struct Stat {
    parent: u32,
    ticks: u64,
    ended_children_ticks: u64,
}

fn stat_of(pid: u32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Reads a line of `/proc/PID/stat`: see proc_pid_stat(5).
fn parse_stat(line: &str) -> Option<Stat> {
    // The name of the program, in parentheses, may contain spaces and parentheses.
    let (_, fields) = line.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    let number = |field: usize| fields.get(field)?.parse::<u64>().ok();
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        ticks: number(11)? + number(12)?,
        ended_children_ticks: number(13)? + number(14)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_proc_is_read_whatever_the_program_is_called() {
        let line = "4711 (post (gres) x) S 12 4711 4711 0 -1 4194304 1 2 3 4 100 20 3 4 20 0 1 0 5 6 7 8";
        assert_eq!(parse_stat(line), Some(Stat { parent: 12, ticks: 120, ended_children_ticks: 7 }));
        assert_eq!(parse_stat("4711 (short) S 12"), None);
    }

    #[test]
    fn shares_are_of_all_cores_together() {
        let times = |client, service, postgres, processes, idle| CpuTimes {
            client,
            service,
            postgres,
            cores: CoreTimes { processes, idle },
        };
        let before = times(100, 100, 100, 1_000, 1_000);
        let after = times(110, 150, 99, 1_080, 1_020);
        let shares = processes().shares(before, after, Duration::from_secs(1));
        assert_eq!((shares.client, shares.service, shares.postgres), (10.0, 50.0, 0.0));
        assert_eq!((shares.others, shares.idle), (20.0, 20.0));
    }

    #[test]
    fn this_process_has_times() {
        assert!(processes().times().is_ok());
    }

    /// This process in each role, on one core.
    fn processes() -> Processes {
        let own = std::process::id();
        Processes { cores: Cores::confine(1).unwrap(), service: own, postgres: own }
    }
}
