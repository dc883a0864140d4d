//! Knowing that systemd has read what was sent.
//!
//! A message can be lost: systemd finds out whose it is from the sender's pid, and one that has exited by then is
//! nobody's (systemd#2737). And READY=1 in a queue is not readiness. So sd_notify_barrier(3): a pipe's end is sent along,
//! and systemd closes it when it comes to it.

use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;

use rustix::pipe::{PipeFlags, pipe_with};
use tokio::net::unix::pipe::Receiver;

/// Our end of the pipe.
#[derive(Debug)]
pub struct Barrier(Receiver);

impl Barrier {
    /// The barrier, and the end to send. Needs a Tokio runtime with I/O.
    pub(crate) fn new() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        Ok((Self(Receiver::from_owned_fd(ours)?), theirs))
    }

    /// Ends when systemd has read everything that was sent before the barrier, or there is nobody left to read it. Has
    /// no deadline of its own. Nothing is lost when this is dropped before it ends.
    pub async fn passed(&self) -> io::Result<()> {
        loop {
            self.0.readable().await?;
            match self.0.try_read(&mut [0; 16]) {
                Ok(0) => return Ok(()),
                // Nobody should write to it; who does has not closed it yet.
                Ok(_) => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(error) => return Err(error),
            }
        }
    }
}
