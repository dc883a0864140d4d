//! What a helper leaves behind when it ends, though it left its process group: `setsid`, a daemon.
//!
//! We are a subreaper, so it becomes our child, among what COMMAND left behind. It is told from that by a *mark*: a
//! variable with a value of its own, in each helper's environment, which its descendants inherit. Whatever descends from
//! a marked child of ours is the helper's as well. Who clears its environment *and* leaves the line of descent, as
//! daemons do that fork twice, is taken for a stranger.

use std::ffi::OsString;
use std::fs;

use rustix::process::{Signal, kill_process};

use crate::kernel::proc::{Stat, own_pid};

use super::process;

/// The variable's name.
pub(crate) const NAME: &str = "SD_WATCHDOG_RUN";

/// By which the processes of one helper are known.
#[derive(Debug)]
pub(crate) struct Mark {
    value: String,
    /// Our children when the helper started: none of them belongs to it. To leave them out also avoids reading the
    /// environment of a hung process, which blocks.
    before: Vec<i32>,
}

impl Mark {
    /// For a helper that is about to start.
    pub fn new() -> Self {
        Self { value: format!("{:016x}", fastrand::u64(..)), before: own_children() }
    }

    /// The variable's value.
    pub fn value(&self) -> OsString {
        self.value.clone().into()
    }

    /// Kills all that are left, and says whether there were any. What they start meanwhile is found the next time.
    pub(super) fn kill(&self) -> bool {
        let is_marked = |pid: &i32| !self.before.contains(pid) && self.is_on(*pid);
        let left = with_descendants(own_children().into_iter().filter(is_marked).collect());
        for pid in &left {
            if let Ok(pid) = process(*pid) {
                // Fails if it has ended just now.
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        !left.is_empty()
    }

    /// Nothing is on a process that has ended.
    fn is_on(&self, pid: i32) -> bool {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let variable = format!("{NAME}={}", self.value);
        environment.split(|byte| *byte == 0).any(|entry| entry == variable.as_bytes())
    }
}

/// Our children, those too that have ended and were not waited for.
pub(super) fn own_children() -> Vec<i32> {
    children_of(own_pid())
}

/// These, and all that descend from them.
pub(super) fn with_descendants(mut pids: Vec<i32>) -> Vec<i32> {
    let mut next = 0;
    while let Some(pid) = pids.get(next).copied() {
        pids.extend(children_of(pid));
        next += 1;
    }
    pids
}

/// Whether it has ended. One that is gone altogether has as well.
pub(super) fn is_zombie(pid: i32) -> bool {
    Stat::of(pid).is_none_or(|stat| matches!(stat.state, 'Z' | 'X'))
}

/// None where the kernel does not say (`CONFIG_PROC_CHILDREN`).
fn children_of(process: i32) -> Vec<i32> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let lists = threads.map(|thread| fs::read_to_string(thread.path().join("children")).unwrap_or_default());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}
