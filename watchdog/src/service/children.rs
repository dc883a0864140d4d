//! The processes that we started, and those we inherited: the only place that waits for any.
//!
//! - *Expected* processes are helpers (probes, `--on-hang-exec`), each waited for by who started it. One that leads a
//!   process group is killed with its whole group before it is waited for: its group's number cannot be another's yet.
//! - The *main* process is COMMAND: its end is ours, and it gets the signals. It can say that another is
//!   ([`Children::follow`], for `MAINPID=`).
//! - All others are *strangers*, that we get as a subreaper when their parent ends. They are waited for, so that no
//!   zombies pile up, and mean nothing. Those that a helper left behind are killed, see `children/strays.rs`.
//!
//! Two ways lead to an end, and each works alone: [`Children::reap`], to be called on SIGCHLD, for all; and a pidfd, for
//! one that is expected, where nobody reads signals (`sd-watchdog check`).
//!
//! Strangers can end faster than they are waited for. So a handful is waited for at a time, and the main process first.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use rustix::process::{
    Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process_group, set_child_subreaper, waitpid,
};

use self::end_of_process::EndOfProcess;
pub use self::main_process::FollowError;
use self::main_process::MainProcess;
use self::registry::{Expected, Registry};
use self::strays::{Mark, Strays, is_zombie, own_children, with_descendants};
use crate::kernel::alarm;
use crate::kernel::{disposition, raw};
use crate::service::end::End;
use crate::service::signals::Received;

mod end_of_process;
mod main_process;
mod registry;
pub(crate) mod strays;

/// How often to look for an end where no pidfd can be had: no descriptor is left, or a filter forbids it.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// As many are waited for at a time.
const HANDFUL: usize = 64;

/// The registry.
#[derive(Debug)]
pub struct Children {
    registry: RefCell<Registry>,
    /// Nobody reads SIGCHLD and calls [`Children::reap`].
    alone: Cell<bool>,
    strays: RefCell<Strays>,
    /// Ended children cannot be waited for, and that was logged.
    complained: Cell<bool>,
}

/// What [`Children::reap`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reaped {
    /// How the main process ended, if it has.
    pub end: Option<End>,
    /// There may be more who have ended: it is to be called again.
    pub has_more: bool,
}

impl Children {
    /// None yet.
    pub fn new() -> Rc<Self> {
        raw::keep_ended_children();
        Rc::new(Self {
            registry: RefCell::default(),
            alone: Cell::default(),
            strays: RefCell::default(),
            complained: Cell::default(),
        })
    }

    /// Makes descendants whose parent ends children of this process. [`reap`](Self::reap) must be called then.
    pub fn become_subreaper(&self) -> io::Result<()> {
        Ok(set_child_subreaper(Some(getpid()))?)
    }

    /// The same where there is no COMMAND and nobody calls [`reap`](Self::reap): each helper that starts or ends is the
    /// occasion for it.
    pub fn become_subreaper_alone(&self) -> io::Result<()> {
        self.alone.set(true);
        self.become_subreaper()
    }

    /// Registers a child of this process whose end somebody will ask for.
    pub fn expect(&self, pid: i32) {
        self.registry.borrow_mut().expect(pid, false);
    }

    /// The same, of a child that leads a process group, which is killed when its leader has ended.
    pub fn expect_group(&self, pid: i32) {
        self.registry.borrow_mut().expect(pid, true);
    }

    /// Kills an expected child, and its group if it leads one. Its end can be asked for.
    pub fn kill(&self, pid: i32) {
        let leads_group = match self.registry.borrow().find(pid) {
            Some(Expected { end: None, leads_group, .. }) => *leads_group,
            _ => return,
        };
        let Ok(pid) = process(pid) else { return };
        // Fails if it has ended just now.
        let _ = if leads_group {
            kill_process_group(pid, Signal::KILL)
        } else {
            rustix::process::kill_process(pid, Signal::KILL)
        };
    }

    /// Kills it, if it has not ended, for one who does not want to know how it ends. It is waited for when it has.
    pub fn abandon(&self, pid: i32) {
        self.kill(pid);
        self.registry.borrow_mut().abandon(pid);
        self.sweep();
    }

    /// Kills what is left of a helper that has ended, or was killed. Does not wait for it.
    pub(crate) fn end_strays(&self, mark: Mark) {
        self.strays.borrow_mut().search(mark, Instant::now());
        self.look_for_strays();
        self.sweep();
    }

    fn look_for_strays(&self) {
        let mut strays = self.strays.borrow_mut();
        if strays.are_looked_for() {
            let registry = self.registry.borrow();
            let is_helper = |pid| registry.find(pid).is_some();
            strays.look(&own_children().into_iter().collect(), is_helper, Instant::now());
        }
    }

    /// Waits for all children but those that were there `before`, for `patience` at most: for a process whose own end
    /// comes next, and leaves them to one that may wait for nobody, as PID 1 of a container.
    pub async fn part(&self, before: &[i32], patience: Duration) {
        let all_ended = async {
            loop {
                self.reap();
                if own_children().iter().all(|pid| before.contains(pid)) {
                    break;
                }
                alarm::sleep(LOOK_AGAIN).await;
            }
        };
        let _ = alarm::timeout(patience, all_ended).await;
    }

    /// How many processes COMMAND has left behind: all that descend from us, except for helpers and what descends from them.
    pub fn left_behind(&self) -> usize {
        let registry = self.registry.borrow();
        let of_command = own_children().into_iter().filter(|pid| registry.find(*pid).is_none());
        with_descendants(of_command.collect()).into_iter().filter(|pid| !is_zombie(*pid)).count()
    }

    /// The children of this process, whether anybody registered them or not.
    pub fn all() -> Vec<i32> {
        own_children()
    }

    /// How an expected child ends. Needs a Tokio runtime with I/O; nothing is lost when this is dropped.
    pub async fn end_of(&self, pid: i32) -> End {
        self.sweep();
        if self.registry.borrow().find(pid).is_none() {
            self.expect(pid);
        }
        if let Some(end) = self.settle(pid) {
            return end;
        }
        if let Ok(watch) = EndOfProcess::new(pid) {
            watch.ended().await;
        }
        // At once, unless there is no pidfd to be had, or a debugger has the process first.
        loop {
            if let Some(end) = self.settle(pid) {
                return end;
            }
            alarm::sleep(LOOK_AGAIN).await;
        }
    }

    /// Waits for those that have ended: for a handful, and for the main process among them if it has.
    pub fn reap(&self) -> Reaped {
        let mut has_more = false;
        if let Err(error) = self.reap_main().and_then(|()| self.reap_others(&mut has_more)) {
            self.complain(&error);
        }
        // What has ended may have left others to us.
        self.look_for_strays();
        let mut registry = self.registry.borrow_mut();
        Reaped { end: registry.main.as_mut().and_then(MainProcess::end), has_more }
    }

    fn reap_main(&self) -> io::Result<()> {
        let main = self.registry.borrow().main.as_ref().and_then(MainProcess::to_be_waited_for);
        if let Some(pid) = main
            && let Some(end) = take(pid, false)?
        {
            self.registry.borrow_mut().record(pid, end);
        }
        Ok(())
    }

    fn reap_others(&self, has_more: &mut bool) -> io::Result<()> {
        for _ in 0..HANDFUL {
            let Some(pid) = raw::peek_at_ended_child()? else { return Ok(()) };
            let leads_group = self.registry.borrow().find(pid).is_some_and(|child| child.leads_group);
            // Not to be had although it is there: a tracer has it first. There will be another SIGCHLD.
            let Some(end) = take(pid, leads_group)? else { return Ok(()) };
            self.registry.borrow_mut().record(pid, end);
        }
        *has_more = true;
        Ok(())
    }

    /// Said once: there is nothing to do about it, and ends are noticed by other ways too.
    fn complain(&self, error: &io::Error) {
        if !self.complained.replace(true) {
            tracing::warn!("cannot wait for the children that have ended: {error}; going on");
        }
    }

    /// Whether the main process has ended, waited for or not: whatever it had to say is said then.
    pub fn main_has_ended(&self) -> bool {
        self.registry.borrow().main.as_ref().is_some_and(MainProcess::has_ended)
    }

    /// The end of an expected child, if it has come.
    fn settle(&self, pid: i32) -> Option<End> {
        if let Some(end) = self.registry.borrow_mut().collect(pid) {
            return Some(end);
        }
        let leads_group = self.registry.borrow().find(pid)?.leads_group;
        let end = match take(pid, leads_group) {
            Ok(end) => end?,
            Err(error) => {
                // Not our child: whoever registered it was wrong.
                tracing::warn!("cannot wait for process {pid}: {error}");
                End::Exited(u8::MAX)
            }
        };
        let mut registry = self.registry.borrow_mut();
        registry.record(pid, end);
        registry.collect(pid)
    }

    /// Waits for the abandoned that have ended, where nobody calls [`reap`](Self::reap).
    pub(crate) fn sweep(&self) {
        if self.alone.get() {
            while self.reap().has_more {}
        }
        let abandoned = self.registry.borrow().abandoned();
        for (pid, leads_group) in abandoned {
            match take(pid, leads_group) {
                Ok(None) => {}
                Ok(Some(_)) | Err(_) => self.registry.borrow_mut().forget(pid),
            }
        }
    }

    /// Makes the child `pid` the main process.
    pub(crate) fn set_main(&self, pid: i32) {
        self.registry.borrow_mut().main = Some(MainProcess::child(pid));
    }

    /// The main process, if one was started.
    pub fn main_pid(&self) -> Option<i32> {
        self.registry.borrow().main.as_ref().map(MainProcess::pid)
    }

    /// Passes a signal on to the main process, with its value if it was queued with one. [`false`]: it has no room for more
    /// queued signals yet.
    #[must_use]
    pub fn pass_on(&self, signal: &Received) -> bool {
        self.registry.borrow().main.as_ref().is_none_or(|main| main.pass_on(signal))
    }

    /// Whether the main process would end by this signal, as of now. What cannot be found out counts as no.
    pub fn main_would_die_of(&self, signal: i32) -> bool {
        self.main_pid().is_some_and(|pid| disposition::would_die_of(pid, signal))
    }

    /// Makes `pid` the main process from now on, as COMMAND says by `MAINPID=`. It must descend from us.
    pub fn follow(&self, pid: i32) -> Result<(), FollowError> {
        let mut registry = self.registry.borrow_mut();
        let Registry { expected, main } = &mut *registry;
        let is_helper = |pid| expected.iter().any(|helper| helper.pid == pid);
        match main {
            Some(main) if pid > 0 => main.follow(pid, is_helper),
            _ => Err(FollowError::NotOfCommand { pid }),
        }
    }

    /// Ends when the main process has, if it is one of whose end no SIGCHLD tells: that of a followed process that is
    /// a child of another. Then [`reap`](Self::reap) says what follows from it.
    pub async fn followed_ended(&self) {
        let watch = self.registry.borrow().main.as_ref().and_then(MainProcess::watch);
        match watch {
            Some(watch) => watch.ended().await,
            None => std::future::pending().await,
        }
        let is_unclaimed = || self.registry.borrow().main.as_ref().is_some_and(MainProcess::is_unclaimed);
        if is_unclaimed() {
            // Nothing tells when another waits for it.
            alarm::sleep(LOOK_AGAIN).await;
        }
    }
}

/// Waits for a child that has ended, and ends its group before that.
fn take(pid: i32, leads_group: bool) -> io::Result<Option<End>> {
    let pid = process(pid)?;
    if leads_group && has_ended(pid)? {
        // Fails where nobody is left in it who can be signalled.
        let _ = kill_process_group(pid, Signal::KILL);
    }
    let waited = waitpid(Some(pid), WaitOptions::NOHANG)?;
    Ok(waited.and_then(|(_, status)| end(status)))
}

/// Not a group, nor all: 0 and negative numbers mean those.
fn process(pid: i32) -> io::Result<Pid> {
    let pid = if pid > 0 { Pid::from_raw(pid) } else { None };
    pid.ok_or_else(|| Errno::ESRCH.into())
}

fn has_ended(pid: Pid) -> io::Result<bool> {
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    Ok(waitid(WaitId::Pid(pid), options)?.is_some())
}

fn end(status: WaitStatus) -> Option<End> {
    match (status.exit_status(), status.terminating_signal()) {
        // An exit status has eight bits.
        (Some(code), _) => Some(End::Exited(u8::try_from(code & 0xff).unwrap_or(u8::MAX))),
        (None, Some(signal)) => Some(End::Killed { signal }),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests;
