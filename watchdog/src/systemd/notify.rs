//! The way to systemd.
//!
//! systemd reads its socket when it gets round to it: during `daemon-reload` it does not, and the queue can fill up
//! (`net.unix.max_dgram_qlen`). A send that waited for that would hold up probing, so nothing here waits. What finds no
//! room is kept in order, our own words and what COMMAND said ([`relay`](crate::systemd::relay)) in one line, and sent again after
//! [`RETRY`]. Our newest word supersedes older ones where one datagram can say both ([`Message::supersede`]).
//!
//! The socket can also be gone, for a moment or for good: a container's manager starts anew, or makes the socket's file
//! anew (ECONNREFUSED, ENOENT). READY=1 or a trigger that is lost then costs the service a start, or the time until
//! systemd's own timer acts. So our own words are kept until they are taken. Those of COMMAND are kept for
//! [`PATIENCE`]: to have nobody there is to hold it up no more than it would without us.

use std::ffi::OsStr;
use std::fmt;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags,
    SocketType, sendmsg_addr, socket_with,
};
use rustix::time::{ClockId, clock_gettime};

use crate::kernel::foreign::Foreign;
use crate::systemd::barrier::Barrier;
use crate::systemd::message::Message;

mod queue;

use self::queue::{Queue, Waiting};

/// How soon a message that found no room is tried again.
pub const RETRY: Duration = Duration::from_millis(5);

/// The same where nobody is there to take it; twice as long after each try, up to …
const RETRY_GONE: (Duration, Duration) = (RETRY, Duration::from_millis(100));
/// For how long what COMMAND said is kept while nobody is there: a manager that starts anew is back by then.
const PATIENCE: Duration = Duration::from_secs(2);

/// A datagram carries this many descriptors at most (`SCM_MAX_FD`, unix(7)).
pub const MOST_DESCRIPTORS: usize = 253;

/// Where to send, and what could not be sent yet.
#[derive(Debug)]
pub struct Notifier {
    socket: OwnedFd,
    address: SocketAddrUnix,
    /// As in `NOTIFY_SOCKET`, for the log.
    name: PathBuf,
    queue: Queue,
    retry_at: Option<Instant>,
    /// While nobody is there.
    gone: Option<Gone>,
    /// The last datagram could not be sent as it is, and that was logged.
    failing: bool,
    /// Something had to be given up, and that was logged.
    overrun: bool,
}

/// The socket does not take anything.
#[derive(Debug, Clone, Copy)]
struct Gone {
    since: Instant,
    /// From the last try to the next.
    retry: Duration,
}

/// What is not ours to word: lines of COMMAND, and the descriptors that belong to them.
pub struct Datagram {
    /// As COMMAND sent them, in their order.
    pub bytes: Vec<u8>,
    /// Closed when they have been sent: systemd has its own then.
    pub descriptors: Foreign,
}

impl Datagram {
    const BARRIER: &[u8] = b"BARRIER=1";

    /// systemd closes `end` when it has read everything that was sent before.
    pub fn barrier(end: Foreign) -> Self {
        Self { bytes: Self::BARRIER.to_vec(), descriptors: end }
    }

    fn is_barrier(&self) -> bool {
        self.bytes == Self::BARRIER
    }
}

impl fmt::Debug for Datagram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} with {} descriptors", String::from_utf8_lossy(&self.bytes), self.descriptors.len())
    }
}

/// `NOTIFY_SOCKET` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NotifierError {
    #[error(
        "NOTIFY_SOCKET is {name:?}: only /path and @abstract sockets can be notified, not other kinds (vsock:)"
    )]
    Unsupported { name: PathBuf },
    #[error("NOTIFY_SOCKET is {name:?}, which cannot be notified: {source}")]
    Unusable { name: PathBuf, source: io::Error },
}

impl Notifier {
    /// The directory of systemd's socket; [`None`] for an abstract one.
    pub fn directory(&self) -> Option<&Path> {
        self.name.parent().filter(|directory| directory.is_absolute())
    }

    /// Takes the value of `NOTIFY_SOCKET`. Whether anyone listens there shows at the first message.
    pub fn new(notify_socket: &OsStr) -> Result<Self, NotifierError> {
        let name = PathBuf::from(notify_socket);
        let address = match notify_socket.as_bytes() {
            [b'/', ..] => SocketAddrUnix::new(&name),
            [b'@', abstract_name @ ..] => SocketAddrUnix::new_abstract_name(abstract_name),
            _ => return Err(NotifierError::Unsupported { name }),
        };
        let open = |address| {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            Ok((socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?, address))
        };
        match address.and_then(open) {
            Ok((socket, address)) => Ok(Self {
                socket,
                address,
                name,
                queue: Queue::default(),
                retry_at: None,
                gone: None,
                failing: false,
                overrun: false,
            }),
            Err(errno) => Err(NotifierError::Unusable { name, source: errno.into() }),
        }
    }

    /// Sends `message` after what still waits, or in the place of it; see [`Message::supersede`]. A ping that waits is
    /// taken back, even where `message` is empty. Never blocks.
    pub fn send(&mut self, message: Message, now: Instant) {
        self.queue.say(message);
        self.settle(now);
    }

    /// The same for what says nothing about COMMAND's health: a ping that waits goes along.
    pub fn add(&mut self, message: Message, now: Instant) {
        if !message.is_empty() {
            self.queue.add(message);
            self.settle(now);
        }
    }

    /// Sends what COMMAND said after what still waits. Never blocks.
    pub fn pass_on(&mut self, datagram: Datagram, now: Instant) {
        self.queue.pass_on(datagram);
        self.settle(now);
    }

    /// Asks systemd to say when it has read everything sent so far, what still waits included. Never blocks.
    ///
    /// Needs a Tokio runtime with I/O. Fails where descriptors or memory have run out; nothing is sent then.
    pub fn barrier(&mut self, now: Instant) -> io::Result<Barrier> {
        let (barrier, end) = Barrier::new()?;
        self.pass_on(Datagram::barrier(vec![end].into()), now);
        Ok(barrier)
    }

    /// While this is false, leave what COMMAND says in its socket: it waits there as it would in systemd's. If it is
    /// passed on all the same, something may have to be given up. So it may where nobody is there to take it: COMMAND
    /// would not have to wait for that either.
    pub fn has_room(&self) -> bool {
        self.gone.is_some() || self.queue.has_room()
    }

    /// When to call [`flush`](Self::flush); [`None`] while nothing waits.
    pub fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Tries what waits.
    pub fn flush(&mut self, now: Instant) {
        self.retry_at = None;
        while let Some(next) = self.queue.front() {
            match transmit(self.socket.as_fd(), &self.address, next).map_err(Failure::of) {
                Ok(()) => {
                    if self.gone.take().is_some() {
                        tracing::info!("systemd can be notified again at {:?}", self.name);
                    }
                    self.failing = false;
                    self.overrun = false;
                }
                Err(Failure::NoRoom(errno)) => {
                    tracing::debug!("no room at {:?}: {errno}", self.name);
                    self.retry_at = Some(now + RETRY);
                    return;
                }
                Err(Failure::Nobody(errno)) => {
                    self.retry_at = Some(now + self.nobody_there(errno, now));
                    return;
                }
                Err(Failure::Unfit(errno)) => {
                    if !self.failing {
                        let error = io::Error::from(errno);
                        tracing::warn!(
                            "what is to be said to systemd cannot be sent: {error}; going on without it"
                        );
                    }
                    self.failing = true;
                }
            }
            self.queue.pop();
        }
    }

    /// When to try again.
    fn nobody_there(&mut self, errno: Errno, now: Instant) -> Duration {
        let (first, longest) = RETRY_GONE;
        let gone = match self.gone {
            None => {
                let error = io::Error::from(errno);
                tracing::warn!("systemd cannot be notified at {:?}: {error}; trying again", self.name);
                Gone { since: now, retry: first }
            }
            Some(Gone { since, retry }) => Gone { since, retry: (retry * 2).min(longest) },
        };
        self.gone = Some(gone);
        if now - gone.since >= PATIENCE {
            self.queue.forget_passed_on();
        }
        gone.retry
    }

    fn settle(&mut self, now: Instant) {
        self.flush(now);
        while let Some(lost) = self.queue.excess() {
            if !self.overrun {
                let lost = match lost {
                    Waiting::Own(message) => format!("{:?}", message.encode()),
                    Waiting::PassedOn(datagram) => format!("{datagram:?}"),
                };
                tracing::warn!(
                    "too much waits for systemd at {:?}; given up, with what follows: {lost}",
                    self.name
                );
            }
            self.overrun = true;
        }
    }
}

fn transmit(socket: BorrowedFd<'_>, address: &SocketAddrUnix, waiting: &Waiting) -> rustix::io::Result<()> {
    match waiting {
        Waiting::Own(message) => {
            let datagram = message.encode();
            send(socket, address, datagram.as_bytes(), &Foreign::default())?;
            tracing::debug!("sent {datagram:?}");
        }
        Waiting::PassedOn(datagram) => {
            send(socket, address, &datagram.bytes, &datagram.descriptors)?;
            tracing::debug!("passed on {datagram:?}");
        }
    }
    Ok(())
}

/// Not connected: systemd makes the socket anew when it is reexecuted by hand, and the address stays.
fn send(
    socket: BorrowedFd<'_>,
    address: &SocketAddrUnix,
    bytes: &[u8],
    descriptors: &Foreign,
) -> rustix::io::Result<()> {
    let flags = SendFlags::NOSIGNAL;
    if descriptors.is_empty() {
        sendmsg_addr(socket, address, &[IoSlice::new(bytes)], &mut SendAncillaryBuffer::default(), flags)?;
        return Ok(());
    }
    let borrowed: Vec<_> = descriptors.iter().collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(&borrowed)) {
        return Err(Errno::INVAL);
    }
    sendmsg_addr(socket, address, &[IoSlice::new(bytes)], &mut control, flags)?;
    Ok(())
}

/// Why a datagram was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    /// The queue, the kernel's memory or its limit of descriptors under way is full, or a signal came.
    NoRoom(Errno),
    /// Nobody is there, or lets us in. It says nothing of the datagram: it can be sent later.
    Nobody(Errno),
    /// It cannot be sent as it is, now or later: too long, too many descriptors.
    Unfit(Errno),
}

impl Failure {
    fn of(errno: Errno) -> Self {
        match errno {
            Errno::AGAIN | Errno::INTR | Errno::NOMEM | Errno::NOBUFS | Errno::TOOMANYREFS => {
                Self::NoRoom(errno)
            }
            Errno::MSGSIZE | Errno::INVAL | Errno::BADF => Self::Unfit(errno),
            _ => Self::Nobody(errno),
        }
    }
}

/// The time for [`Message::reloading`], in µs.
pub fn monotonic_usec() -> u64 {
    let since_boot = Duration::try_from(clock_gettime(ClockId::Monotonic)).unwrap_or_default();
    u64::try_from(since_boot.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
