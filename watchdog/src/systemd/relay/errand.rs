//! Taking a datagram that comes with descriptors off the socket, or leaving it: on a thread of its own.
//!
//! The kernel closes what does not get into our table, and that can take as long as the sender likes, see
//! [`foreign`](crate::kernel::foreign). A stranger could keep us for an hour, with one datagram.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use tokio::net::UnixDatagram;
use tokio::sync::Notify;

use super::receive::{self, Taken};
use crate::kernel::aside;
use crate::kernel::foreign::STACK;

/// One of them, the next on the socket. Nobody else takes anything off it until this is over.
#[derive(Debug)]
pub(super) struct Errand {
    /// Whose words they are; [`None`] where nobody wants to know them.
    pub pid: Option<i32>,
    results: Receiver<rustix::io::Result<Taken>>,
    is_over: Arc<Notify>,
}

impl Errand {
    /// Begins it. Where nobody wants to know the words, no descriptor is taken either.
    pub fn run(socket: &Arc<UnixDatagram>, pid: Option<i32>) -> io::Result<Self> {
        let (result, results) = channel();
        let is_over = Arc::<Notify>::default();
        let (socket, over) = (Arc::clone(socket), Arc::clone(&is_over));
        let work = move || {
            let socket = socket.as_fd();
            let taken = if pid.is_some() { receive::take_loaded(socket) } else { receive::discard(socket) };
            // Nobody waits where the service has ended.
            let _ = result.send(taken);
            over.notify_one();
        };
        aside::start("relay", Some(STACK), work)?;
        Ok(Self { pid, results, is_over })
    }

    /// What came of it, if that is known within so short a time that it can be waited for.
    pub fn result(&self, patience: Duration) -> Option<rustix::io::Result<Taken>> {
        self.results.recv_timeout(patience).ok()
    }

    /// To be waited for until it may be over.
    pub fn is_over(&self) -> Arc<Notify> {
        Arc::clone(&self.is_over)
    }
}
