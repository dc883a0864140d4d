//! What this guard is told by signals.

use std::io;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use tokio::io::unix::AsyncFd;

use crate::kernel::raw;

/// The signals that end us. All others keep their meaning, so that our own watchdog's SIGABRT dumps core.
const STOP: [Signal; 3] = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP];

/// They are blocked for the thread, and come here.
pub struct Signals {
    /// [`STOP`]
    stop: AsyncFd<SignalFd>,
    /// SIGCHLD
    child: AsyncFd<SignalFd>,
}

impl Signals {
    /// Needs a Tokio runtime with I/O.
    pub fn block() -> io::Result<Self> {
        Ok(Self { stop: blocked(&STOP)?, child: blocked(&[Signal::SIGCHLD])? })
    }

    /// Ends when we are asked to.
    pub async fn stop(&self) -> io::Result<()> {
        raw::ready(&self.stop).await.map(drop)
    }

    /// Ends when a helper has ended, or what one has left us. Nothing is lost when this is dropped before it ends.
    pub async fn child(&self) -> io::Result<()> {
        let mut readable = raw::ready(&self.child).await?;
        // One signal may stand for several.
        while let Ok(Some(_)) = readable.get_inner().read_signal() {}
        readable.clear_ready();
        Ok(())
    }
}

fn blocked(signals: &[Signal]) -> io::Result<AsyncFd<SignalFd>> {
    let set: SigSet = signals.iter().copied().collect();
    set.thread_block()?;
    let descriptor = SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
    raw::readable(descriptor)
}
