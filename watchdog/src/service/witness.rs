//! Whether a signal of systemd's was sent to us alone, or to every process of the unit.
//!
//! systemd signals all of the unit's processes with `KillMode=control-group` and in `systemctl kill`, and the main process
//! alone with `mixed` and `process`, in `--kill-whom=main` and for a reload (`unit_kill_context` and `unit_kill_common` in
//! src/core/unit.c). A signal does not tell. Passed on in the first case, COMMAND gets it twice; not passed on in the
//! second, it is lost.
//!
//! So there is a *witness*: a process of ours in the unit, that does nothing but report what it gets. What it gets, all get:
//! systemd signals the main process first, then all others (`cg_kill_recursive`). What it has not got was not sent to all,
//! once systemd has come to an end with it: it does that in one go, and in the meantime reads no notification. So a
//! barrier (sd_notify_barrier(3)) that we send afterwards says that it has. Then the witness is asked whether it has
//! reported all, by a signal of ours that comes behind all others.
//!
//! It is a fork that executes nothing, sleeps, holds no descriptor but its pipe, and is killed by the kernel when we end.

use std::io::{self, ErrorKind};
use std::rc::Rc;

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::Pid;
use tokio::net::unix::pipe::Receiver;

use crate::kernel::raw::{self, REPORT};
use crate::service::children::Children;
use crate::service::signals::managers;

/// It, and what it reports.
#[derive(Debug)]
pub(crate) struct Witness {
    pid: Pid,
    reports: Receiver,
    children: Rc<Children>,
    last_mark: i32,
    awaits_mark: bool,
}

/// What it reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Report {
    /// It got this signal, from systemd.
    Signal(i32),
    /// It has reported all that it got before the last mark.
    Mark,
}

impl Witness {
    /// Starts it. Needs a Tokio runtime with I/O, on the main thread, and all signals blocked.
    pub fn start(children: &Rc<Children>) -> io::Result<Self> {
        Self::of(managers(), children)
    }

    /// One that reports what these processes send.
    fn of(senders: [i32; 3], children: &Rc<Children>) -> io::Result<Self> {
        let (reports, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
        let pid = raw::fork_witness(&theirs, senders)?;
        children.expect(pid.as_raw_nonzero().get());
        Ok(Self {
            pid,
            reports: Receiver::from_owned_fd(reports)?,
            children: Rc::clone(children),
            last_mark: 0,
            awaits_mark: false,
        })
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Ends when there may be a report.
    pub async fn wait(&self) {
        if self.reports.readable().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// The reports that are there. An error: there are no more to come.
    pub fn take(&self) -> io::Result<Vec<Report>> {
        let mut buffer = [0; REPORT * 64];
        // A report is written as a whole, and so is read as a whole (pipe(7), PIPE_BUF).
        let length = match self.reports.try_read(&mut buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(length) => length,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => 0,
            Err(error) => return Err(error),
        };
        let reports = buffer[..length].chunks_exact(REPORT).filter_map(|report| {
            let [number, mark] = [&report[..4], &report[4..]]
                .map(|bytes| bytes.try_into().map(i32::from_ne_bytes).unwrap_or_default());
            match number {
                0 if mark == self.last_mark && self.awaits_mark => Some(Report::Mark),
                // One that was given up.
                0 => None,
                number => Some(Report::Signal(number)),
            }
        });
        Ok(reports.collect())
    }

    /// Has it say [`Report::Mark`] when it has reported all that it was sent until now.
    pub fn mark(&mut self) -> io::Result<()> {
        self.last_mark = self.last_mark.wrapping_add(1) & i32::MAX;
        self.awaits_mark = true;
        raw::mark(self.pid, self.last_mark)
    }

    /// If it says so later, nobody wants to know any more.
    pub fn forget_mark(&mut self) {
        self.awaits_mark = false;
    }

    /// Ends it, for one who ends next: systemd is to find nobody left.
    pub async fn end(self) {
        self.children.kill(self.pid());
        self.children.end_of(self.pid()).await;
    }
}

#[cfg(test)]
mod tests;
