//! One datagram off the socket, in two steps: look who sends it, then take it or leave it.
//!
//! Looking first keeps a stranger's descriptors out of our table, which has a limit that probes need too.

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::libc;
use nix::sys::socket::MsgFlags;
use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, recv, recvmsg};

use super::said::MOST_BYTES;
use super::speaker::Sender;
use crate::kernel::foreign::Foreign;
use crate::systemd::notify::MOST_DESCRIPTORS;

/// What can be told without taking it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Envelope {
    /// [`None`] where the kernel says nothing of it, which it does on every socket with `SO_PASSCRED`.
    pub sender: Option<Sender>,
    /// Of the whole datagram, in bytes.
    pub length: usize,
    /// There are descriptors with it.
    pub loaded: bool,
}

/// Room for the sender's credentials and no more: descriptors do not fit, and the kernel hands none out.
#[repr(C, align(8))]
struct Control([u8; ROOM]);

/// `CMSG_LEN(0)`: the header's size is a multiple of its alignment.
const CREDENTIALS: usize = size_of::<libc::cmsghdr>();
const CREDENTIALS_END: usize = CREDENTIALS + size_of::<libc::ucred>();
const ROOM: usize = CREDENTIALS_END.next_multiple_of(align_of::<libc::cmsghdr>());

/// Looks at the next datagram, which stays where it is.
///
/// Not by rustix: its `UCred` has no room for the pid 0, which the kernel gives for a sender outside our PID namespace.
pub(super) fn look(socket: BorrowedFd<'_>) -> rustix::io::Result<Envelope> {
    let mut control = Control([0; ROOM]);
    let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_TRUNC | MsgFlags::MSG_DONTWAIT;
    let received = nix::sys::socket::recvmsg::<()>(socket.as_raw_fd(), &mut [], Some(&mut control.0), flags)
        .map_err(|errno| Errno::from_raw_os_error(errno as i32))?;
    let (length, loaded) = (received.bytes, received.flags.contains(MsgFlags::MSG_CTRUNC));
    Ok(Envelope { sender: credentials(&control.0), length, loaded })
}

/// Of a `struct cmsghdr` (its length, level and type) and the `struct ucred` (pid, uid, gid) after it.
fn credentials(control: &[u8]) -> Option<Sender> {
    let number = |at: usize| control.get(at..at + 4)?.try_into().ok().map(i32::from_ne_bytes);
    let (level, kind) = (number(CREDENTIALS - 8)?, number(CREDENTIALS - 4)?);
    if (level, kind) != (libc::SOL_SOCKET, libc::SCM_CREDENTIALS) {
        return None;
    }
    Some(Sender { pid: number(CREDENTIALS)?, uid: number(CREDENTIALS + 4)?.cast_unsigned() })
}

/// Leaves the next datagram: it is gone, and its descriptors are closed.
pub(super) fn discard(socket: BorrowedFd<'_>) -> rustix::io::Result<Taken> {
    recv(socket, &mut [0; 1], RecvFlags::DONTWAIT)?;
    Ok(Taken { bytes: Vec::new(), descriptors: Some(Foreign::default()) })
}

/// A datagram.
#[derive(Debug)]
pub(super) struct Taken {
    pub bytes: Vec<u8>,
    /// [`None`] if not all of them could be received: this process has no room for more.
    pub descriptors: Option<Foreign>,
}

/// Takes the next datagram, which has no descriptors. What is longer than can be understood is cut off.
pub(super) fn take(socket: BorrowedFd<'_>) -> rustix::io::Result<Taken> {
    let mut buffer = [0; MOST_BYTES];
    let (length, _) = recv(socket, &mut buffer[..], RecvFlags::DONTWAIT)?;
    Ok(Taken { bytes: buffer[..length].to_vec(), descriptors: Some(Foreign::default()) })
}

/// Takes the next datagram with its descriptors.
pub(super) fn take_loaded(socket: BorrowedFd<'_>) -> rustix::io::Result<Taken> {
    let mut space =
        [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS), ScmCredentials(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut buffer = [0; MOST_BYTES];
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let message = recvmsg(socket, &mut [IoSliceMut::new(&mut buffer)], &mut control, flags)?;
    let mut descriptors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            descriptors.extend(received);
        }
    }
    let descriptors = Foreign::from(descriptors);
    let is_complete = !message.flags.contains(ReturnFlags::CTRUNC);
    Ok(Taken { bytes: buffer[..message.bytes].to_vec(), descriptors: is_complete.then_some(descriptors) })
}
