//! A process that is watched by its pidfd.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::unix::AsyncFd;

use crate::kernel::{pidfd, raw};
use crate::service::signals::Received;

/// Tells of the end of one process, child or not.
#[derive(Debug)]
pub(super) struct EndOfProcess(AsyncFd<OwnedFd>);

impl EndOfProcess {
    pub(super) fn new(pid: i32) -> io::Result<Self> {
        Ok(Self(raw::readable(pidfd::open(pid)?)?))
    }

    pub(super) async fn ended(&self) {
        // Stays readable: an end is for good. An error is one of the runtime, which is about to end then.
        if let Ok(mut guard) = raw::ready(&self.0).await {
            guard.retain_ready();
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        pidfd::has_ended(self.0.get_ref())
    }

    pub(super) fn signal(&self, signal: &Received) -> io::Result<()> {
        pidfd::signal(self.0.get_ref(), signal.number, signal.value)
    }
}
