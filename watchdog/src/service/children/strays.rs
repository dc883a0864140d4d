//! What a helper leaves behind when it ends, though it left its process group: `setsid`, a daemon.
//!
//! We are a subreaper, so it becomes our child, among what COMMAND left behind. It is told from that by a *mark*: a
//! variable with a value of its own, in each helper's environment, which its descendants inherit. Whatever descends from
//! a marked child of ours is the helper's as well. Who clears its environment *and* leaves the line of descent, as
//! daemons do that fork twice, is taken for a stranger.
//!
//! To read an environment can take for ever. The kernel reads it out of the memory of the process, under the lock of that
//! memory (`mmap_lock`), and who is stuck may hold that lock; before Linux 4.17 a hostile process could have put a file
//! there that never comes (CVE-2018-1120). So the environment is read beside the loop, and only where nothing else tells: of
//! children that came after the helper, started after it, and are no helpers themselves. Mostly there are none.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};

use super::process;
use crate::kernel::aside;
use crate::kernel::pidfd;
use crate::kernel::proc::{Stat, own_pid};

/// The variable's name.
pub(crate) const NAME: &str = "SD_WATCHDOG_RUN";

/// How long a killed process may take to leave its children to us.
const ENDING: Duration = Duration::from_secs(1);
/// Threads that read may hang for good. There are never more than these.
const MOST_THREADS: usize = 4;
/// One of them calls nothing that needs more.
const STACK: usize = 128 << 10;
/// In bytes: execve(2) takes 6 MiB of arguments and environment at most.
const MOST_ENVIRONMENT: u64 = 8 << 20;

/// By which the processes of one helper are known.
#[derive(Debug)]
pub(crate) struct Mark {
    value: String,
    /// Our children when the helper started: none of them belongs to it.
    before: BTreeSet<i32>,
    /// When it started, as [`Stat::started`]; 0 where that is not known.
    since: u64,
}

impl Mark {
    /// For a helper that is about to start.
    pub fn new() -> Self {
        let value = format!("{:016x}", fastrand::u64(..));
        Self { value, before: own_children().into_iter().collect(), since: 0 }
    }

    /// The variable's value.
    pub fn value(&self) -> OsString {
        self.value.clone().into()
    }

    /// The helper has started, as the process `pid`.
    pub fn started(&mut self, pid: i32) {
        self.since = Stat::of(pid).map_or(0, |stat| stat.started);
    }
}

/// All that is looked for.
#[derive(Debug, Default)]
pub(super) struct Strays {
    searches: Vec<Search>,
    /// For counting those that are at work.
    threads: Arc<()>,
}

impl Strays {
    /// From now on those with this mark are looked for, whose helper has ended, or was killed.
    ///
    /// While a process ends its environment is gone already, and its children are not ours yet: so it is looked again.
    pub fn search(&mut self, mark: Mark, now: Instant) {
        self.searches.push(Search {
            value: mark.value,
            since: mark.since,
            known: mark.before,
            until: now + ENDING,
            desk: Arc::default(),
        });
    }

    pub fn are_looked_for(&self) -> bool {
        !self.searches.is_empty()
    }

    /// Has those killed that are left, among our `children`. Does not wait for it: their ends will tell.
    pub fn look(&mut self, children: &BTreeSet<i32>, is_helper: impl Fn(i32) -> bool, now: Instant) {
        self.look_with(kill_if_marked, children, is_helper, now);
    }

    fn look_with(
        &mut self,
        judge: impl Fn(Process, &str) -> Verdict + Clone + Send + 'static,
        children: &BTreeSet<i32>,
        is_helper: impl Fn(i32) -> bool,
        now: Instant,
    ) {
        for search in &mut self.searches {
            search.look(children, &is_helper);
            search.have_judged(judge.clone(), &self.threads);
        }
        self.searches.retain(|search| now < search.until || !search.desk().killed.is_empty());
    }
}

/// The search for the processes of one helper.
#[derive(Debug)]
struct Search {
    value: String,
    since: u64,
    /// Our children that need not be looked at again.
    known: BTreeSet<i32>,
    until: Instant,
    desk: Arc<Mutex<Desk>>,
}

/// Shared with the thread that reads.
#[derive(Debug, Default)]
struct Desk {
    waiting: Vec<Process>,
    /// A thread works on what waits, and may hang.
    at_work: bool,
    killed: Vec<Process>,
    /// They cannot be judged yet.
    unclear: Vec<Process>,
}

/// Whose child of ours it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// The helper's. It was killed, and what descends from it.
    Stray,
    Stranger,
    /// It has no environment: it has just ended, or becomes another program.
    Unclear,
}

impl Search {
    /// Looks which children are to be judged.
    fn look(&mut self, children: &BTreeSet<i32>, is_helper: impl Fn(i32) -> bool) {
        let mut desk = self.desk();
        let unclear: Vec<i32> = desk.unclear.drain(..).map(|process| process.pid).collect();
        let is_there = |process: &Process| children.contains(&process.pid);
        desk.waiting.retain(is_there);
        desk.killed.retain(is_there);
        drop(desk);
        self.known.retain(|pid| children.contains(pid) && !unclear.contains(pid));
        let new: Vec<i32> =
            children.difference(&self.known).copied().filter(|pid| !is_helper(*pid)).collect();
        for process in new.into_iter().filter_map(Process::that_runs) {
            self.known.insert(process.pid);
            if process.started >= self.since {
                self.desk().waiting.push(process);
            }
        }
    }

    /// Has those judged that wait for it, beside the loop.
    fn have_judged(&self, judge: impl Fn(Process, &str) -> Verdict + Send + 'static, threads: &Arc<()>) {
        let mut desk = self.desk();
        if desk.at_work || desk.waiting.is_empty() {
            return;
        }
        if Arc::strong_count(threads) > MOST_THREADS {
            tracing::debug!("{MOST_THREADS} threads hang that look for what helpers left behind");
            return;
        }
        let (shared, value, thread) = (Arc::clone(&self.desk), self.value.clone(), Arc::clone(threads));
        let work = move || {
            while let Some(process) = next(&shared) {
                let verdict = judge(process, &value);
                let mut desk = lock(&shared);
                match verdict {
                    Verdict::Stray => desk.killed.push(process),
                    Verdict::Stranger => {}
                    Verdict::Unclear => desk.unclear.push(process),
                }
            }
            drop(thread);
        };
        match aside::start("strays", Some(STACK), work) {
            Ok(()) => desk.at_work = true,
            Err(error) => tracing::debug!("no thread to look for what a helper left behind: {error}"),
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        lock(&self.desk)
    }
}

fn lock(desk: &Mutex<Desk>) -> MutexGuard<'_, Desk> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The next that waits. Without one, the thread is at work no more.
fn next(desk: &Mutex<Desk>) -> Option<Process> {
    let mut desk = lock(desk);
    let next = desk.waiting.pop();
    desk.at_work = next.is_some();
    next
}

/// A process, and not the next one that gets its pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Process {
    pid: i32,
    started: u64,
}

impl Process {
    fn of(pid: i32) -> Option<Self> {
        Stat::of(pid).map(|stat| Self { pid, started: stat.started })
    }

    /// [`None`]: it has ended, or is about to.
    fn that_runs(pid: i32) -> Option<Self> {
        Stat::of(pid).filter(|stat| !stat.is_exiting).map(|stat| Self { pid, started: stat.started })
    }

    fn kill(self) {
        // Opened first: so what is found out about the pid below is true of what is opened.
        let opened = pidfd::open(self.pid);
        if Self::of(self.pid) != Some(self) {
            return;
        }
        // Fails if it has ended just now.
        let _ = match opened {
            Ok(opened) => pidfd::signal(&opened, Signal::KILL.as_raw(), None),
            Err(_) => process(self.pid).and_then(|pid| Ok(kill_process(pid, Signal::KILL)?)),
        };
    }
}

/// Kills a child of ours if it is marked, with all that descend from it. What they start meanwhile is marked as well, and
/// found the next time. May hang.
fn kill_if_marked(child: Process, value: &str) -> Verdict {
    let environment = environment(child.pid);
    if environment.is_empty() {
        return Verdict::Unclear;
    }
    let variable = format!("{NAME}={value}");
    if !environment.split(|byte| *byte == 0).any(|entry| entry == variable.as_bytes()) {
        return Verdict::Stranger;
    }
    let below = with_descendants(vec![child.pid]).into_iter().skip(1).filter_map(Process::of);
    for stray in [child].into_iter().chain(below.collect::<Vec<_>>()) {
        stray.kill();
    }
    Verdict::Stray
}

/// Empty where there is none, or it cannot be read.
fn environment(pid: i32) -> Vec<u8> {
    let mut environment = Vec::new();
    if let Ok(file) = File::open(format!("/proc/{pid}/environ")) {
        // What could be read before an error is as good.
        let _ = file.take(MOST_ENVIRONMENT).read_to_end(&mut environment);
    }
    environment
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

#[cfg(test)]
mod tests;
