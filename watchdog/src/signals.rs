//! Signals as things to read, one after the other, instead of handlers.
//!
//! All signals are blocked but those that report a fault of this very process (SIGSEGV …), and those that pause it
//! (SIGTSTP, SIGTTIN, SIGTTOU), which keep their default action. Blocking comes before COMMAND is started, so no signal
//! is lost in between, and COMMAND gets back the mask that this process was started with.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Left alone; SIGKILL and SIGSTOP cannot be blocked anyway.
const UNTOUCHED: [Signal; 10] = [
    Signal::SIGSEGV,
    Signal::SIGBUS,
    Signal::SIGFPE,
    Signal::SIGILL,
    Signal::SIGSYS,
    Signal::SIGTRAP,
    Signal::SIGPIPE,
    Signal::SIGTSTP,
    Signal::SIGTTIN,
    Signal::SIGTTOU,
];

/// The signals sent to this process.
#[derive(Debug)]
pub struct Signals {
    descriptor: AsyncFd<SignalFd>,
    inherited: SigSet,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// As in signal(7).
    pub number: i32,
    /// The kernel sent it, not a process: a key at the terminal, its end, a new window size. Such a signal goes to the
    /// whole foreground group, and so to COMMAND, which is in it too.
    pub by_kernel: bool,
}

impl Signals {
    /// Blocks them, and reads them from now on. Needs a Tokio runtime with I/O, and that no other thread runs yet.
    pub fn block() -> io::Result<Self> {
        // A parent may have left SIGCHLD ignored, and the kernel then forgets how COMMAND ended. Any handler undoes that.
        signal_hook::flag::register(signal_hook::consts::SIGCHLD, Arc::new(AtomicBool::new(false)))?;
        let mut set = SigSet::all();
        for signal in UNTOUCHED {
            set.remove(signal);
        }
        let inherited = SigSet::thread_get_mask()?;
        set.thread_block()?;
        let descriptor = SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        #[expect(
            deprecated,
            reason = "unsound only for a type that does not own its descriptor; SignalFd does. The successor is unsafe"
        )]
        let descriptor = AsyncFd::with_interest(descriptor, Interest::READABLE)?;
        Ok(Self { descriptor, inherited })
    }

    /// The mask before [`block`](Self::block).
    pub fn inherited(&self) -> &SigSet {
        &self.inherited
    }

    /// The next signal. Nothing is lost when this is dropped before it ends.
    pub async fn next(&self) -> io::Result<Received> {
        loop {
            let mut guard = self.descriptor.readable().await?;
            match self.descriptor.get_ref().read_signal()? {
                Some(info) => {
                    return Ok(Received {
                        number: info.ssi_signo.cast_signed(),
                        by_kernel: info.ssi_code == nix::libc::SI_KERNEL,
                    });
                }
                None => guard.clear_ready(),
            }
        }
    }
}

/// `SIGTERM`, or `signal 34` for one that has no name.
pub fn name(number: i32) -> String {
    signal_hook::low_level::signal_name(number).map_or_else(|| format!("signal {number}"), ToOwned::to_owned)
}
