//! Listening sockets, as the kernel's socket monitor knows them: sock_diag(7).
//!
//! Only this says how many connections may wait in an accept queue, and, for Unix sockets, how many do. It sees the
//! network namespace of this process.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with, sockopt,
};

use crate::text::one_line;

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// `NLM_F_REQUEST | NLM_F_DUMP`
const DUMP: u16 = 0x301;
/// `TCP_LISTEN`, for Unix sockets too.
const LISTEN: u8 = 10;
const IPPROTO_TCP: u8 = 6;
/// `UDIAG_SHOW_NAME | UDIAG_SHOW_RQLEN`
const NAME_AND_QUEUE: u32 = 0x11;
const UNIX_DIAG_NAME: u16 = 0;
const UNIX_DIAG_RQLEN: u16 = 4;

/// The kernel answers at once, unless it has to load a module first.
const PATIENCE: Duration = Duration::from_millis(100);
/// More than any host has listening sockets; keeps a broken answer from being read for ever.
const MAX_DATAGRAMS: usize = 4096;

const AF_UNIX: u8 = 1;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// A listening socket, whoever's it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listener {
    pub(crate) address: String,
    pub(crate) depth: Option<u32>,
    pub(crate) limit: Option<u32>,
    pub(crate) inode: u64,
}

/// Every listening TCP socket of our network namespace.
pub(crate) fn tcp() -> Result<Vec<Listener>, Errno> {
    let mut found = Vec::new();
    for family in [AF_INET, AF_INET6] {
        match dump(&inet_request(family), |message| found.extend(inet_listener(message))) {
            // Without IPv6 there are none.
            Err(Errno::NOENT | Errno::AFNOSUPPORT) if family == AF_INET6 => {}
            result => result?,
        }
    }
    Ok(found)
}

/// Every listening Unix socket of our network namespace.
pub(crate) fn unix() -> Result<Vec<Listener>, Errno> {
    let mut found = Vec::new();
    dump(&unix_request(), |message| found.extend(unix_listener(message)))?;
    Ok(found)
}

/// `struct inet_diag_req_v2`, linux/inet_diag.h
fn inet_request(family: u8) -> Vec<u8> {
    let mut request = vec![family, IPPROTO_TCP, 0, 0];
    request.extend((1_u32 << LISTEN).to_ne_bytes());
    request.extend([0; 48]);
    request
}

/// `struct unix_diag_req`, linux/unix_diag.h
fn unix_request() -> Vec<u8> {
    let mut request = vec![AF_UNIX, 0, 0, 0];
    request.extend((1_u32 << LISTEN).to_ne_bytes());
    request.extend(0_u32.to_ne_bytes());
    request.extend(NAME_AND_QUEUE.to_ne_bytes());
    request.extend([0; 8]);
    request
}

fn dump(request: &[u8], mut each: impl FnMut(&[u8])) -> Result<(), Errno> {
    let socket =
        socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, Some(netlink::SOCK_DIAG))?;
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(PATIENCE))?;
    let mut message = Vec::with_capacity(16 + request.len());
    message.extend(u32::try_from(16 + request.len()).unwrap_or_default().to_ne_bytes());
    message.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    message.extend(DUMP.to_ne_bytes());
    message.extend([0; 8]);
    message.extend_from_slice(request);
    sendto(&socket, &message, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;

    // The kernel makes datagrams of up to 32 KiB for a reader that takes them.
    let mut buffer = vec![0; 32 << 10];
    for _ in 0..MAX_DATAGRAMS {
        let (_, length) = recv(&socket, &mut *buffer, RecvFlags::empty())?;
        if messages(buffer.get(..length).unwrap_or_default(), &mut each)? {
            return Ok(());
        }
    }
    Err(Errno::MSGSIZE)
}

/// Takes the messages of one datagram; returns whether the last one was among them.
fn messages(mut datagram: &[u8], each: &mut impl FnMut(&[u8])) -> Result<bool, Errno> {
    while let (Some(length), Some(kind)) = (u32_at(datagram, 0), u16_at(datagram, 4)) {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let Some(payload) = datagram.get(16..length) else { return Err(Errno::BADMSG) };
        match kind {
            NLMSG_DONE => return Ok(true),
            NLMSG_ERROR => {
                let code = u32_at(payload, 0).map_or(0, u32::cast_signed);
                return Err(Errno::from_raw_os_error(code.checked_neg().unwrap_or_default()));
            }
            SOCK_DIAG_BY_FAMILY => each(payload),
            _ => {}
        }
        datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}

/// `struct inet_diag_msg`: family, state, timer, retransmits; ports, addresses; expiry, queues, user, inode.
fn inet_listener(message: &[u8]) -> Option<Listener> {
    let port = u16::from_be_bytes(message.get(4..6)?.try_into().ok()?);
    let ip = match *message.first()? {
        AF_INET => IpAddr::from(<[u8; 4]>::try_from(message.get(8..12)?).ok()?),
        AF_INET6 => IpAddr::from(<[u8; 16]>::try_from(message.get(8..24)?).ok()?),
        _ => return None,
    };
    Some(Listener {
        address: SocketAddr::new(ip, port).to_string(),
        depth: u32_at(message, 56),
        limit: u32_at(message, 60),
        inode: u64::from(u32_at(message, 68)?),
    })
}

/// `struct unix_diag_msg`: family, type, state, padding, inode, cookie; then attributes.
fn unix_listener(message: &[u8]) -> Option<Listener> {
    let inode = u64::from(u32_at(message, 4)?);
    let mut listener =
        Listener { address: "unnamed Unix socket".to_owned(), depth: None, limit: None, inode };
    let mut rest = message.get(16..)?;
    while let (Some(length), Some(kind)) = (u16_at(rest, 0), u16_at(rest, 2)) {
        let Some(value) = rest.get(4..usize::from(length)) else { break };
        match kind {
            UNIX_DIAG_NAME => listener.address = unix_name(value),
            UNIX_DIAG_RQLEN => (listener.depth, listener.limit) = (u32_at(value, 0), u32_at(value, 4)),
            _ => {}
        }
        rest = rest.get(usize::from(length).next_multiple_of(4)..).unwrap_or_default();
    }
    Some(listener)
}

/// Names of abstract sockets begin with a NUL.
fn unix_name(name: &[u8]) -> String {
    let (sign, name) = match name {
        [0, name @ ..] => ("@", name),
        name => ("", name.strip_suffix(b"\0").unwrap_or(name)),
    };
    format!("{sign}{}", one_line(&String::from_utf8_lossy(name)))
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(offset..offset + 4)?.try_into().ok()?))
}

fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(offset..offset + 2)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr as UnixAddr, UnixListener, UnixStream};

    use super::*;

    #[test]
    fn connections_that_wait_are_counted_and_the_limit_is_told() {
        let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = v4.local_addr().unwrap();
        let name = format!("sd-watchdog-test-{}", std::process::id());
        let unix = UnixListener::bind_addr(&UnixAddr::from_abstract_name(&name).unwrap()).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a socket");
        let _named = UnixListener::bind(&path).unwrap();
        let _waiting = [TcpStream::connect(address).unwrap(), TcpStream::connect(address).unwrap()];
        let _also = UnixStream::connect_addr(&unix.local_addr().unwrap()).unwrap();

        let found = [tcp().unwrap(), super::unix().unwrap()].concat();
        let queue = |address: &str| {
            let listener = found.iter().find(|listener| listener.address == address).unwrap();
            (listener.depth, listener.limit.is_some_and(|limit| limit >= 100))
        };
        assert_eq!(queue(&address.to_string()), (Some(2), true));
        assert_eq!(queue(&format!("@{name}")), (Some(1), true));
        assert_eq!(queue(path.to_str().unwrap()), (Some(0), true));
    }

    #[test]
    fn ipv6_addresses_are_written_in_brackets() {
        let mut message = vec![AF_INET6, LISTEN, 0, 0, 0x1f, 0x90, 0, 0];
        message.extend(Ipv6Addr::LOCALHOST.octets());
        message.resize(72, 0);
        message[56] = 3;
        message[60] = 128;
        message[68] = 77;
        let expected =
            Listener { address: "[::1]:8080".to_owned(), depth: Some(3), limit: Some(128), inode: 77 };
        assert_eq!(inet_listener(&message), Some(expected));
        message.truncate(70);
        assert_eq!(inet_listener(&message), None);
    }

    #[test]
    fn refusals_and_broken_answers_are_errors() {
        let error = |length: u32, kind: u16, code: i32| {
            let mut datagram = length.to_ne_bytes().to_vec();
            datagram.extend(kind.to_ne_bytes());
            datagram.extend([0; 10]);
            datagram.extend(code.to_ne_bytes());
            messages(&datagram, &mut |_| ())
        };
        assert_eq!(error(20, NLMSG_ERROR, -2), Err(Errno::NOENT));
        assert_eq!(error(20, NLMSG_DONE, 0), Ok(true));
        assert_eq!(error(20, 99, 0), Ok(false));
        assert_eq!(error(21, NLMSG_DONE, 0), Err(Errno::BADMSG));
        assert_eq!(error(4, NLMSG_DONE, 0), Err(Errno::BADMSG));
    }
}
