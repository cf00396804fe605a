//! Keeps everything on the same few cores, and measures how busy they are.

use std::rc::Rc;

use anyhow::Context;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// The cores that everything runs on.
#[derive(Clone, Debug)]
pub(crate) struct Cores(Rc<[usize]>);

/// The times of the cores since the machine was started, in ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CoreTimes {
    /// For any process.
    pub(crate) processes: u64,
    pub(crate) idle: u64,
}

impl Cores {
    /// Confines this thread, and all threads and processes that it starts from now on, to this number of cores.
    pub(crate) fn confine(cores_max: u32) -> anyhow::Result<Cores> {
        let this_thread = Pid::from_raw(0);
        let allowed = sched_getaffinity(this_thread).context("cannot find out which cores there are")?;
        let mut chosen = CpuSet::new();
        let mut cores = Vec::new();
        for core in 0..CpuSet::count() {
            if cores.len() < cores_max as usize && allowed.is_set(core)? {
                chosen.set(core)?;
                cores.push(core);
            }
        }
        sched_setaffinity(this_thread, &chosen).context("cannot switch to the chosen cores")?;
        Ok(Cores(cores.into()))
    }

    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.0.len()).expect("no machine has that many")
    }

    pub(crate) fn times(&self) -> anyhow::Result<CoreTimes> {
        let stat = std::fs::read_to_string("/proc/stat").context("cannot read /proc/stat")?;
        Ok(self.times_in(&stat))
    }

    /// Reads `/proc/stat`: see proc_stat(5).
    fn times_in(&self, stat: &str) -> CoreTimes {
        let mut times = CoreTimes::default();
        for line in stat.lines() {
            let mut fields = line.split_ascii_whitespace();
            let core = fields.next().and_then(|name| name.strip_prefix("cpu")?.parse().ok());
            if core.is_some_and(|core| self.0.contains(&core)) {
                let ticks: Vec<u64> = fields.map(|field| field.parse().unwrap_or_default()).collect();
                let at = |field: usize| ticks.get(field).copied().unwrap_or_default();
                times.processes += at(0) + at(1) + at(2);
                times.idle += at(3) + at(4);
            }
        }
        times
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_can_be_confined_to_one_core() {
        let confined = || (Cores::confine(1).unwrap().count(), Cores::confine(64).unwrap().count());
        assert_eq!(std::thread::spawn(confined).join().unwrap(), (1, 1));
    }

    #[test]
    fn only_the_cores_in_use_are_looked_at() {
        let stat = "cpu  9 9 9 9 9 9\ncpu0 1 2 3 40 50 6\ncpu1 100 0 0 0 0 0\ncpu10 4 0 0 7 0 0\nintr 5\n";
        let times = Cores([0, 10].into()).times_in(stat);
        assert_eq!(times, CoreTimes { processes: 10, idle: 97 });
    }
}
