//! Structured entries for journald, in its native protocol (systemd: docs/JOURNAL_NATIVE_PROTOCOL.md).
//!
//! Nothing here waits for journald: an entry for which there is no room is lost and counted. [`Journal::send_all`] waits
//! for room, up to a deadline: the queue of a datagram socket can be as short as ten entries.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags,
    SocketType, connect, sendmsg, socket_with, sockopt,
};

use crate::kernel::alarm;

mod entry;

pub use self::entry::{Entry, Priority};

/// Where journald listens (systemd-journald.service(8)).
pub const SOCKET: &str = "/run/systemd/journal/socket";

/// As libsystemd asks for: what is longer than the socket's buffer goes by memfd, at a higher price.
const SEND_BUFFER: usize = 8 << 20;

/// A connection to journald.
#[derive(Debug)]
pub struct Journal {
    socket: OwnedFd,
    path: PathBuf,
    lost: u64,
}

impl Journal {
    /// Connects to this machine's journald. Fails where nothing listens, as in most containers.
    pub fn connect() -> io::Result<Self> {
        Self::connect_to(Path::new(SOCKET))
    }

    /// Connects to whatever listens at `path`.
    pub fn connect_to(path: &Path) -> io::Result<Self> {
        match open(path) {
            Ok(socket) => Ok(Self { socket, path: path.to_owned(), lost: 0 }),
            Err(error) => {
                let error = io::Error::from(error);
                Err(io::Error::new(error.kind(), format!("journald at {}: {error}", path.display())))
            }
        }
    }

    /// Hands an entry to journald, at once or not at all.
    pub fn send(&mut self, entry: &Entry) -> io::Result<()> {
        let sent = self.try_send(entry);
        if sent.is_err() {
            self.lost += 1;
        }
        Ok(sent?)
    }

    /// Hands entries to journald in this order, waiting for room until `deadline`. Returns how many were lost, each
    /// counted in [`lost`](Self::lost) too.
    pub async fn send_all(&mut self, entries: &[Entry], deadline: Instant) -> u64 {
        let before = self.lost;
        for entry in entries {
            let mut sent = self.try_send(entry);
            while sent == Err(Errno::AGAIN) && self.has_room(deadline).await {
                sent = self.try_send(entry);
            }
            self.lost += u64::from(sent.is_err());
        }
        self.lost - before
    }

    /// How many entries could not be handed over since the start.
    #[cfg(test)]
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Whether there was room before `deadline`.
    async fn has_room(&self, deadline: Instant) -> bool {
        let wait = async {
            let socket: std::os::unix::net::UnixDatagram = self.socket.try_clone()?.into();
            tokio::net::UnixDatagram::from_std(socket)?.writable().await
        };
        alarm::timeout_at(deadline, wait).await.is_ok_and(|ready| ready.is_ok())
    }

    fn try_send(&mut self, entry: &Entry) -> Result<(), Errno> {
        match deliver(self.socket.as_fd(), entry.as_bytes()) {
            // journald's socket was made anew.
            Err(Errno::CONNREFUSED | Errno::CONNRESET | Errno::NOTCONN | Errno::PIPE) => {
                self.socket = open(&self.path)?;
                deliver(self.socket.as_fd(), entry.as_bytes())
            }
            sent => sent,
        }
    }
}

/// Connected, because then the kernel can say when there is room again.
fn open(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
    // Where the kernel allows less, memfds take over sooner.
    let _ = sockopt::set_socket_send_buffer_size(&socket, SEND_BUFFER);
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket)
}

fn deliver(socket: BorrowedFd<'_>, entry: &[u8]) -> Result<(), Errno> {
    let mut nothing = SendAncillaryBuffer::default();
    match sendmsg(socket, &[IoSlice::new(entry)], &mut nothing, SendFlags::NOSIGNAL) {
        Ok(_) => Ok(()),
        Err(Errno::MSGSIZE | Errno::NOBUFS) => deliver_in_memfd(socket, entry),
        Err(error) => Err(error),
    }
}

/// An empty datagram with a descriptor: journald reads the entry from there. It wants it sealed, so that it cannot change.
fn deliver_in_memfd(socket: BorrowedFd<'_>, entry: &[u8]) -> Result<(), Errno> {
    let memfd = memfd_create("sd-watchdog-entry", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let mut rest = entry;
    while !rest.is_empty() {
        let written = rustix::io::write(&memfd, rest)?;
        rest = rest.get(written..).unwrap_or_default();
    }
    fcntl_add_seals(&memfd, SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL)?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let descriptors = [memfd.as_fd()];
    if !ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(Errno::NOBUFS);
    }
    sendmsg(socket, &[], &mut ancillary, SendFlags::NOSIGNAL).map(drop)
}

#[cfg(test)]
mod tests;
