//! Whose processes a report is about.

use std::path::PathBuf;

use crate::kernel::cgroup::Cgroup;
use crate::kernel::proc::own_pid;

/// More processes are counted, but not looked at.
pub const MAX_PROCESSES: usize = 512;

/// Whose processes a report is about.
#[derive(Debug, Clone)]
pub struct Scope {
    pub(super) cgroup: Cgroup,
    pub(super) main: Option<i32>,
    pub(super) left_out: Vec<i32>,
    pub(super) proc: PathBuf,
}

impl Scope {
    /// Another unit; `control_group` as systemd's `ControlGroup=` property has it, `main` as its `MainPID=`.
    pub fn unit(control_group: &str, main: Option<i32>) -> Self {
        Self::of(Cgroup::at(control_group), main)
    }

    /// Any control group.
    pub fn of(cgroup: Cgroup, main: Option<i32>) -> Self {
        Self { cgroup, main, left_out: vec![own_pid()], proc: PathBuf::from("/proc") }
    }

    /// Leaves out a process that is not the service's, like a helper of ours.
    #[must_use]
    pub fn without(mut self, pid: i32) -> Self {
        self.left_out.push(pid);
        self
    }

    /// Reads processes from another `/proc`.
    #[cfg(test)]
    #[must_use]
    pub fn proc(mut self, proc: PathBuf) -> Self {
        self.proc = proc;
        self
    }

    /// Which processes to look at, in this order: the main process first, also where the control group does not list it,
    /// as when it has ended and was not waited for. Pure.
    pub(super) fn order(&self, members: &[i32]) -> Vec<i32> {
        let others = members.iter().copied().filter(|&pid| Some(pid) != self.main);
        self.main.into_iter().chain(others).filter(|pid| !self.left_out.contains(pid)).collect()
    }
}
