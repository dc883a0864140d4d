//! Descriptors that others made and sent.
//!
//! To close the last one of an open file can take as long as whoever made it likes: a TCP socket with `SO_LINGER`
//! (socket(7)) keeps whoever closes it until its peer has read, or the time is up that was set. So none is closed where
//! that would hold something up.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{FileType, fstat};

use crate::kernel::aside;

/// Enough to close descriptors.
pub(crate) const STACK: usize = 64 << 10;

/// Some of them. Dropped, they are closed on a thread of its own.
#[derive(Debug, Default)]
pub struct Foreign(Vec<OwnedFd>);

impl Foreign {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In their order.
    pub fn iter(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.0.iter().map(AsFd::as_fd)
    }

    /// Takes the first out.
    pub fn take_first(&mut self) -> Option<Self> {
        (!self.0.is_empty()).then(|| Self(vec![self.0.remove(0)]))
    }
}

impl From<Vec<OwnedFd>> for Foreign {
    fn from(descriptors: Vec<OwnedFd>) -> Self {
        Self(descriptors)
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let slow = std::mem::take(&mut self.0).into_iter().filter(|descriptor| !is_pipe(descriptor));
        let mut left = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
        left.extend(slow);
        if left.is_empty() {
            return;
        }
        // What cannot be closed yet, since there is no thread to be had, goes with the next.
        let _ = aside::start("closing", Some(STACK), || {
            let left = std::mem::take(&mut *LEFT.lock().unwrap_or_else(PoisonError::into_inner));
            drop(left);
        });
    }
}

/// Still to be closed.
static LEFT: Mutex<Vec<OwnedFd>> = Mutex::new(Vec::new());

/// Most of what is sent is the end of a pipe, for a barrier. Closing that takes no time.
fn is_pipe(descriptor: &OwnedFd) -> bool {
    fstat(descriptor).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::time::{Duration, Instant};

    use super::*;

    /// A socket that keeps whoever closes it last for an hour, as long as the other one, its peer, is open.
    pub(crate) fn lingering() -> (OwnedFd, TcpStream) {
        use std::io::Write;
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let mut socket =
            TcpStream::connect(listener.local_addr().expect("an address")).expect("a connection");
        let (peer, _) = listener.accept().expect("a connection");
        socket.set_nonblocking(true).expect("non-blocking");
        while socket.write(&[0; 4096]).is_ok() {}
        socket.set_nonblocking(false).expect("blocking");
        let hour = Duration::from_secs(3600);
        rustix::net::sockopt::set_socket_linger(&socket, Some(hour)).expect("it lingers");
        (socket.into(), peer)
    }

    #[test]
    fn who_drops_them_is_not_held_up() {
        let ((slow, peer), (pipe, end)) = (lingering(), std::io::pipe().expect("a pipe"));
        let began = Instant::now();
        drop(Foreign::from(vec![slow, end.into()]));
        assert!(began.elapsed() < Duration::from_secs(60));
        // The pipe is closed already.
        rustix::io::ioctl_fionbio(&pipe, true).expect("non-blocking");
        assert_eq!(std::io::Read::read(&mut &pipe, &mut [0]).expect("the end"), 0);
        drop(peer);
    }

    #[test]
    fn they_are_taken_out_in_their_order() {
        let files: Vec<OwnedFd> =
            (0..3).map(|_| std::fs::File::open("/dev/null").expect("a file").into()).collect();
        let numbers: Vec<_> = files.iter().map(std::os::fd::AsRawFd::as_raw_fd).collect();
        let mut foreign = Foreign::from(files);
        let first = foreign.take_first().expect("the first");
        let number =
            |of: &Foreign| of.iter().map(|fd| std::os::fd::AsRawFd::as_raw_fd(&fd)).collect::<Vec<_>>();
        assert_eq!((number(&first), number(&foreign)), (vec![numbers[0]], numbers[1..].to_vec()));
    }
}
