//! The main process: COMMAND's first, or the one that COMMAND has named since.

use std::io;
use std::rc::Rc;

use nix::errno::Errno;

use super::end_of_process::EndOfProcess;
use super::{has_ended, process};
use crate::kernel::ancestry::{descent, parent_of};
use crate::kernel::proc::own_pid;
use crate::kernel::raw;
use crate::service::end::End;
use crate::service::signals;
use crate::service::signals::Received;

#[derive(Debug)]
pub(super) struct MainProcess {
    pid: i32,
    /// Of one that is another's child: no SIGCHLD tells of its end.
    watch: Option<Rc<EndOfProcess>>,
    /// Our child from which the followed process descends, itself or not: if another takes the followed one's status,
    /// this one stands for it.
    via: i32,
    via_end: Option<End>,
    end: Option<End>,
}

/// COMMAND named a process that cannot be its main process. It stays the one that it was.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message documents the variant")]
pub enum FollowError {
    #[error("process {pid} (MAINPID=) is not one of COMMAND's")]
    NotOfCommand { pid: i32 },
    #[error("process {pid} (MAINPID=) cannot be followed: {source}")]
    Unwatchable { pid: i32, source: io::Error },
}

impl MainProcess {
    pub fn child(pid: i32) -> Self {
        Self { pid, watch: None, via: pid, via_end: None, end: None }
    }

    pub fn pid(&self) -> i32 {
        self.pid
    }

    pub fn watch(&self) -> Option<Rc<EndOfProcess>> {
        self.watch.clone()
    }

    /// Whether there was room: a queued signal can find `RLIMIT_SIGPENDING` used up, and may be tried again.
    pub fn pass_on(&self, signal: &Received) -> bool {
        let name = signals::name(signal.number);
        let sent = match &self.watch {
            _ if self.end.is_some() => Err(Errno::ESRCH.into()),
            Some(watch) => watch.signal(signal),
            // A child that nobody has waited for keeps its pid.
            None => raw::send_signal(self.pid, signal.number, signal.value),
        };
        match sent {
            Ok(()) => tracing::debug!("passed {name} on to COMMAND"),
            Err(error) if error.raw_os_error() == Some(Errno::ESRCH as i32) => {
                tracing::debug!("{name} is not passed on: COMMAND has ended");
            }
            Err(error) if error.raw_os_error() == Some(Errno::EAGAIN as i32) => return false,
            Err(error) if error.raw_os_error() == Some(Errno::EPERM as i32) => tracing::error!(
                "cannot pass {name} on to COMMAND, which has changed its user: {error}; add CAP_KILL to \
                 CapabilityBoundingSet= (and to AmbientCapabilities=, unless sd-watchdog runs as root), or have systemd \
                 send it with KillMode=control-group"
            ),
            Err(error) => tracing::warn!("cannot pass {name} on to COMMAND: {error}"),
        }
        true
    }

    pub fn follow(&mut self, pid: i32, is_helper: impl Fn(i32) -> bool) -> Result<(), FollowError> {
        if pid == self.pid && self.end.is_none() {
            return Ok(());
        }
        // Watched first: so what is found out about `pid` below is true of the process that is watched.
        let watch = EndOfProcess::new(pid);
        let via = descent(pid, own_pid(), parent_of).filter(|via| !is_helper(*via));
        let via = via.ok_or(FollowError::NotOfCommand { pid })?;
        let watch = match watch {
            _ if pid == via => None,
            Ok(watch) => Some(Rc::new(watch)),
            Err(source) => return Err(FollowError::Unwatchable { pid, source }),
        };
        *self = Self { watch, via, ..Self::child(pid) };
        Ok(())
    }

    /// Takes note of the end of a child of ours, if it matters here.
    pub fn record(&mut self, pid: i32, end: End) -> bool {
        if pid == self.via {
            self.via_end = Some(end);
        }
        if pid == self.pid {
            self.end = Some(end);
            self.watch = None;
        }
        pid == self.via || pid == self.pid
    }

    /// Its pid, where it is our child and nobody has waited for it.
    pub fn to_be_waited_for(&self) -> Option<i32> {
        (self.end.is_none() && self.watch.is_none()).then_some(self.pid)
    }

    /// Whether it has ended, waited for or not.
    pub fn has_ended(&self) -> bool {
        match (&self.watch, self.end) {
            (_, Some(_)) => true,
            (Some(watch), None) => watch.has_ended(),
            // An error: it cannot be waited for, so nobody can tell.
            (None, None) => process(self.pid).and_then(has_ended).unwrap_or(true),
        }
    }

    /// Its end, once all children that have ended are recorded.
    pub fn end(&mut self) -> Option<End> {
        if self.watch.as_ref().is_some_and(|watch| watch.has_ended()) {
            match parent_of(self.pid) {
                // It has become our child meanwhile: SIGCHLD comes, if it did not come already.
                Some(parent) if parent == own_pid() => *self = Self::child(self.pid),
                // Its parent may take the status yet, or end without, and leave it to us.
                Some(_) => {}
                None => self.status_taken(),
            }
        }
        self.end
    }

    /// It has ended, and its parent has not waited for it.
    pub fn is_unclaimed(&self) -> bool {
        self.watch.as_ref().is_some_and(|watch| watch.has_ended()) && parent_of(self.pid).is_some()
    }

    /// It has ended, and its own parent takes its status.
    fn status_taken(&mut self) {
        let Self { pid, via, via_end, .. } = *self;
        tracing::warn!(
            "COMMAND's main process {pid} has ended, and only its parent knows how: process {via} is the main process now"
        );
        *self = Self { end: via_end, ..Self::child(via) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_first_process_is_not_that_of_the_one_it_forked_away() {
        let mut main = MainProcess { pid: 11, ..MainProcess::child(10) };
        assert!(main.record(10, End::Exited(0)));
        assert_eq!(main.end(), None);
        assert!(!main.record(12, End::Exited(3)));
        assert!(main.record(11, End::Exited(4)));
        assert_eq!(main.end(), Some(End::Exited(4)));
    }

    #[test]
    fn where_only_its_parent_knows_how_it_ended_our_child_stands_for_it() {
        let mut main = MainProcess { pid: 11, ..MainProcess::child(10) };
        main.status_taken();
        assert_eq!((main.pid(), main.end()), (10, None));
        main.record(10, End::Exited(5));
        assert_eq!(main.end(), Some(End::Exited(5)));

        let mut main = MainProcess { pid: 11, ..MainProcess::child(10) };
        main.record(10, End::Exited(6));
        main.status_taken();
        assert_eq!(main.end(), Some(End::Exited(6)));
    }
}
