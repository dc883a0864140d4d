//! The part of systemd that the benchmarks play: a notify socket, and the environment of a service with `WatchdogSec=`.

use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;

/// Longer than any datagram of sd_notify(3), which is PIPE_BUF at most.
const LONGEST: usize = 8192;
/// With one datagram; a service of the benchmarks sends one at most.
const MOST_DESCRIPTORS: usize = 8;

/// What `NOTIFY_SOCKET` names.
#[derive(Debug)]
pub struct NotifySocket {
    socket: UnixDatagram,
    path: PathBuf,
}

/// A datagram.
pub struct Datagram {
    /// As it was sent.
    pub words: String,
    /// When it was sent, by CLOCK_REALTIME: the kernel stamps it in the sender's system call, so it does not matter how late
    /// it is read.
    pub sent: Duration,
}

impl NotifySocket {
    /// Binds `path`, where nothing may be yet. [`next`](Self::next) waits for `patience` at most.
    pub fn bind(path: &Path, patience: Duration) -> io::Result<Self> {
        let socket = UnixDatagram::bind(path)?;
        socket.set_read_timeout(Some(patience))?;
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        Ok(Self { socket, path: path.to_owned() })
    }

    /// Waits for the next datagram.
    pub fn next(&self) -> io::Result<Datagram> {
        self.receive(MsgFlags::empty())
    }

    /// The next datagram that is there already; `WouldBlock` where there is none.
    pub fn next_already_there(&self) -> io::Result<Datagram> {
        self.receive(MsgFlags::MSG_DONTWAIT)
    }

    fn receive(&self, flags: MsgFlags) -> io::Result<Datagram> {
        let mut bytes = [0; LONGEST];
        let mut control = nix::cmsg_space!(TimeSpec, [RawFd; MOST_DESCRIPTORS]);
        let mut parts = [IoSliceMut::new(&mut bytes)];
        let received = recvmsg::<()>(self.socket.as_raw_fd(), &mut parts, Some(&mut control), flags)?;
        let mut sent = None;
        for message in received.cmsgs()? {
            match message {
                ControlMessageOwned::ScmTimestampns(stamp) => sent = Some(Duration::from(stamp)),
                // The end of a barrier, for one: who waits for it sees that it is closed.
                ControlMessageOwned::ScmRights(descriptors) => {
                    descriptors.into_iter().try_for_each(nix::unistd::close)?;
                }
                _ => {}
            }
        }
        let sent = sent.ok_or_else(|| io::Error::other("the kernel has not stamped a datagram"))?;
        let length = received.bytes;
        Ok(Datagram { words: String::from_utf8_lossy(&bytes[..length]).into_owned(), sent })
    }

    /// `NOTIFY_SOCKET`.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl AsFd for NotifySocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Gives `command` the environment of a service whose manager listens at `notify`, with `WatchdogSec=` of `watchdog`.
pub fn as_service<'a>(command: &'a mut Command, notify: &Path, watchdog: Duration) -> &'a mut Command {
    for name in ["WATCHDOG_PID", "JOURNAL_STREAM", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"] {
        command.env_remove(name);
    }
    let usec = watchdog.as_micros().to_string();
    command.env("NOTIFY_SOCKET", notify).env("WATCHDOG_USEC", usec).stdin(Stdio::null())
}
