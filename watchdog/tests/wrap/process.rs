//! Processes as /proc has them.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::manager::AMPLE;

/// Of proc_pid_stat(5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    pub pid: i32,
    pub state: char,
    pub parent: i32,
    pub group: i32,
    pub session: i32,
}

impl Process {
    /// If there is one, dead or alive.
    pub fn find(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let mut fields = stat[stat.rfind(')')? + 1..].split_whitespace();
        let state = fields.next()?.chars().next()?;
        let mut number = || fields.next()?.parse().ok();
        Some(Self { pid, state, parent: number()?, group: number()?, session: number()? })
    }

    #[track_caller]
    pub fn at(pid: i32) -> Self {
        Self::find(pid).unwrap_or_else(|| panic!("there is no process {pid}"))
    }

    pub fn all() -> Vec<Self> {
        let pids = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().file_name());
        pids.filter_map(|name| Self::find(name.to_str()?.parse().ok()?)).collect()
    }

    /// The children of `pid`, their children, and so on; except for sd-watchdog's witness.
    pub fn descendants(pid: i32) -> Vec<Self> {
        Self::descendants_and_witness(pid).into_iter().filter(|process| !process.is_witness()).collect()
    }

    pub fn descendants_and_witness(pid: i32) -> Vec<Self> {
        let all = Self::all();
        let mut found: Vec<Self> = Vec::new();
        let mut parents = vec![pid];
        while let Some(parent) = parents.pop() {
            let children = all.iter().filter(|process| process.parent == parent);
            parents.extend(children.clone().map(|process| process.pid));
            found.extend(children);
        }
        found
    }

    /// A fork of sd-watchdog, which has a name of its own after a moment only.
    fn is_witness(&self) -> bool {
        let words = |pid| fs::read(format!("/proc/{pid}/cmdline")).ok().filter(|words| !words.is_empty());
        let name = fs::read_link(format!("/proc/{}/exe", self.pid));
        let is_ours = name.is_ok_and(|name| name.file_name().is_some_and(|name| name == "sd-watchdog"));
        is_ours && words(self.pid).is_some_and(|own| words(self.parent) == Some(own))
    }

    pub fn is_running(pid: i32) -> bool {
        Self::find(pid).is_some_and(|process| process.state != 'Z')
    }
}

/// Kills it, whoever's it is by now: a process that a test started and then left alone.
pub fn kill(pid: i32) {
    let _ = kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL);
}

/// Waits for `condition`, which is what `what` says.
#[track_caller]
pub fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + AMPLE;
    while !condition() {
        assert!(Instant::now() < deadline, "in vain: waited until {what}");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

/// Where the descriptors of a process lead.
pub fn descriptors(pid: i32) -> Vec<(i32, String)> {
    let directory = format!("/proc/{pid}/fd");
    let numbers = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name());
    let mut numbers: Vec<i32> = numbers.map(|name| name.to_str().unwrap().parse().unwrap()).collect();
    numbers.sort_unstable();
    // A probe's may be gone by now.
    let target = |number: &i32| fs::read_link(Path::new(&directory).join(number.to_string())).ok();
    let leads = |number: &i32| Some((*number, target(number)?.to_str().unwrap().to_owned()));
    numbers.iter().filter_map(leads).collect()
}
