//! COMMAND, from its start to its end.
//!
//! It is to notice nothing of us, and whoever looks at us is to see it:
//!
//! - It gets our standard streams, the descriptors that we were given (socket activation), the signal mask and the
//!   ignored signals we were given, and our environment without what systemd says to us, see
//!   [`environment`]. Descriptors of our own are all close-on-exec.
//! - Where there is no controlling terminal it gets a session of its own, as systemd gives each service one: `kill 0` in
//!   COMMAND does not reach us. On a terminal it stays in our process group. So it keeps the terminal, and keys pressed
//!   there reach it from the kernel, once; only what processes send us is passed on
//!   ([`Received::by_kernel`]). Passed on to COMMAND alone, not to its children: so a signal does what it would
//!   do if COMMAND were the main process.
//! - systemd signals every process of the unit under `KillMode=control-group`, its default. Passed on, COMMAND would get two.
//!   So it gets only what systemd has sent to us alone, see `service::witness`.
//! - It gets SIGTERM when we are killed (`PR_SET_PDEATHSIG`): it does not go on unguarded. The kernel drops that for a
//!   set-user-ID program.
//! - We are a subreaper: what COMMAND leaves behind when it forks becomes our child, see
//!   [`children`](crate::service::children).
//! - It ended by a signal: so do we, by the same one, since systemd (`Restart=on-abnormal`) and shells tell the two apart.

use std::ffi::OsString;
use std::rc::Rc;

use nix::sys::signal::SigSet;
use rustix::process::Signal;

use crate::kernel::raw::Dispositions;
use crate::kernel::raw::{Grouping, SigPipe};
use crate::kernel::variable::Value;
use crate::service::children::{Children, FollowError};
use crate::service::environment;
use crate::service::launch::{Launch, SpawnError};
use crate::service::signals::Received;

/// A started COMMAND.
#[derive(Debug)]
pub struct Child {
    children: Rc<Children>,
}

/// What COMMAND is, and what it is started with.
#[derive(Debug)]
pub struct Start<'a> {
    /// A program (looked up in `PATH`) and its arguments.
    pub command: &'a [OsString],
    /// The signals it is to have blocked.
    pub mask: &'a SigSet,
    /// What it is to do with SIGPIPE.
    pub sigpipe: SigPipe,
    /// Variables beside those we were given: `NOTIFY_SOCKET` and the like.
    pub extra: &'a [(&'a str, Value)],
}

impl Child {
    /// Starts COMMAND, as the main process of `children`. From the main thread: it gets SIGTERM when that ends.
    pub fn spawn(start: &Start<'_>, children: &Rc<Children>) -> Result<Self, SpawnError> {
        let launched = Launch {
            command: start.command,
            environment: environment::of_command(std::env::vars_os(), std::process::id(), start.extra),
            mask: start.mask,
            dispositions: Dispositions::Inherited(start.sigpipe),
            place: if has_terminal() { Grouping::Ours } else { Grouping::Session },
            death_signal: Signal::TERM,
            streams: None,
        };
        let started = launched.start()?;
        let pid = started.pid.as_raw_nonzero().get();
        if let Err(error) = started.wait_for_exec() {
            children.abandon(pid);
            return Err(error);
        }
        children.set_main(pid);
        Ok(Self { children: Rc::clone(children) })
    }

    /// The process id of the main process, see [`follow`](Self::follow).
    pub fn pid(&self) -> i32 {
        self.children.main_pid().unwrap_or_default()
    }

    /// Passes a signal on, with its value if it was queued with one. [`false`]: there is no room for it yet.
    #[must_use]
    pub fn pass_on(&self, signal: &Received) -> bool {
        self.children.pass_on(signal)
    }

    /// COMMAND has said `MAINPID=pid`: from now on that process gets the signals, and its end is COMMAND's.
    pub fn follow(&self, pid: i32) -> Result<(), FollowError> {
        self.children.follow(pid)
    }
}

/// Whether this process has a controlling terminal, from which keys become signals.
fn has_terminal() -> bool {
    use rustix::fs::{Mode, OFlags, open};
    // Succeeds for no process without one (tty(4)), and waits for nothing.
    open("/dev/tty", OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())
        .is_ok()
}
