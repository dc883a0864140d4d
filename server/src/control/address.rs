//! Where the control endpoint is: a TCP address, or a unix socket with a path or an abstract name.

use std::fmt;
use std::fs;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::task::{Context, Poll};

use rustix::fs::Mode;
use rustix::process::umask;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::error::Error;

/// The address of a control endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlAddress {
    /// An IP address and a port.
    Tcp(SocketAddr),
    /// The path of a unix socket.
    Unix(PathBuf),
    /// The name of a unix socket that is in no file system (unix(7)), written `unix:@NAME`. Whoever is in the same network
    /// namespace can reach it, as with a loopback address.
    Abstract(String),
}

/// What the kernel keeps of a unix socket's address, less the zero at the end of a path or the one before a name.
const LONGEST: usize = 107;

/// An address that cannot be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnAddress {
    /// It is none of the kinds.
    #[error(
        "write an IP address and a port, such as 127.0.0.1:8081 or [::1]:8081, or unix:PATH, or unix:@NAME"
    )]
    Malformed,
    /// The kernel would not take it.
    #[error("a unix socket's path or name has at most {LONGEST} bytes, and this one has {0}")]
    TooLong(usize),
}

impl FromStr for ControlAddress {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let Some(unix) = text.strip_prefix("unix:") else {
            return text.parse().map(Self::Tcp).map_err(|_| NotAnAddress::Malformed);
        };
        let name = unix.strip_prefix('@');
        match name.unwrap_or(unix) {
            "" => Err(NotAnAddress::Malformed),
            long if long.len() > LONGEST => Err(NotAnAddress::TooLong(long.len())),
            name_or_path if name.is_some() => Ok(Self::Abstract(name_or_path.to_owned())),
            path => Ok(Self::Unix(path.into())),
        }
    }
}

impl fmt::Display for ControlAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Abstract(name) => write!(f, "unix:@{name}"),
        }
    }
}

/// The socket on which the control endpoint listens, and the address it really got.
#[derive(Debug)]
pub enum ControlListener {
    /// On an IP address.
    Tcp(TcpListener, ControlAddress),
    /// On a path.
    Unix(UnixListener, SocketFile),
    /// On a name.
    Abstract(UnixListener, ControlAddress),
}

/// A connection of either kind.
#[derive(Debug)]
pub enum ControlStream {
    /// Over IP.
    Tcp(TcpStream),
    /// Over a unix socket.
    Unix(UnixStream),
}

/// A socket in the file system; removed when dropped.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    address: ControlAddress,
}

impl ControlListener {
    /// Listens at `address`. Beyond this machine only with a token.
    pub fn bind(address: &ControlAddress, has_token: bool) -> Result<Self, Error> {
        match address {
            ControlAddress::Tcp(ip) if !ip.ip().to_canonical().is_loopback() && !has_token => {
                Err(Error::ControlExposed(*ip))
            }
            ControlAddress::Tcp(ip) => bind_tcp(*ip),
            ControlAddress::Unix(path) => bind_unix(path, address),
            ControlAddress::Abstract(name) => bind_abstract(name, address),
        }
    }

    /// The next connection.
    pub async fn accept(&self) -> io::Result<ControlStream> {
        poll_fn(|context| self.poll_accept(context)).await
    }

    /// The next connection if it is there already.
    pub async fn accept_now(&self) -> Option<io::Result<ControlStream>> {
        poll_fn(|context| match self.poll_accept(context) {
            Poll::Ready(accepted) => Poll::Ready(Some(accepted)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<ControlStream>> {
        match self {
            Self::Tcp(listener, _) => {
                listener.poll_accept(context).map_ok(|(stream, _)| ControlStream::Tcp(stream))
            }
            Self::Unix(listener, _) | Self::Abstract(listener, _) => {
                listener.poll_accept(context).map_ok(|(stream, _)| ControlStream::Unix(stream))
            }
        }
    }

    /// Where it listens. For port 0 that is the port the kernel chose.
    pub fn address(&self) -> &ControlAddress {
        match self {
            Self::Tcp(_, address)
            | Self::Abstract(_, address)
            | Self::Unix(_, SocketFile { address, .. }) => address,
        }
    }
}

impl AsFd for ControlListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener, _) => listener.as_fd(),
            Self::Unix(listener, _) | Self::Abstract(listener, _) => listener.as_fd(),
        }
    }
}

impl ControlStream {
    /// Connects to the endpoint at `address`.
    pub async fn connect(address: &ControlAddress) -> io::Result<Self> {
        match address {
            ControlAddress::Tcp(address) => TcpStream::connect(address).await.map(Self::Tcp),
            ControlAddress::Unix(path) => UnixStream::connect(path).await.map(Self::Unix),
            ControlAddress::Abstract(name) => UnixStream::connect(abstract_path(name)).await.map(Self::Unix),
        }
    }
}

fn bind_tcp(address: SocketAddr) -> Result<ControlListener, Error> {
    // The standard library sets SO_REUSEADDR, so that connections of the process before us are no reason not to start.
    let bind = || {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener)
    };
    let listener = bind().map_err(|source| Error::listen(address, "--control", source))?;
    let actual = listener.local_addr().map_err(Error::Start)?;
    Ok(ControlListener::Tcp(listener, ControlAddress::Tcp(actual)))
}

fn bind_unix(path: &Path, address: &ControlAddress) -> Result<ControlListener, Error> {
    let failed = |source| Error::Listen { address: address.to_string(), option: "--control", source };
    remove_stale(path, address)?;
    // For the owner alone, from the first moment on; a chmod afterwards would come too late for somebody in between.
    let before = umask(Mode::RWXG | Mode::RWXO | Mode::XUSR);
    let bound = UnixListener::bind(path);
    umask(before);
    let file = SocketFile { path: path.to_owned(), address: address.clone() };
    Ok(ControlListener::Unix(bound.map_err(failed)?, file))
}

fn bind_abstract(name: &str, address: &ControlAddress) -> Result<ControlListener, Error> {
    match UnixListener::bind(abstract_path(name)) {
        Ok(listener) => Ok(ControlListener::Abstract(listener, address.clone())),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(Error::SocketTaken(address.clone())),
        Err(source) => Err(Error::Listen { address: address.to_string(), option: "--control", source }),
    }
}

/// As Tokio has it.
fn abstract_path(name: &str) -> String {
    format!("\0{name}")
}

/// Removes the socket of a server that could not do so itself, because it was killed.
fn remove_stale(path: &Path, address: &ControlAddress) -> Result<(), Error> {
    let Ok(file) = fs::symlink_metadata(path) else { return Ok(()) };
    if !file.file_type().is_socket() {
        return Err(Error::NotASocket(address.clone()));
    }
    // Only this error means that nobody listens; a full backlog, say, means that somebody does.
    match std::os::unix::net::UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path)
            .map_err(|source| Error::Listen { address: address.to_string(), option: "--control", source }),
        _ => Err(Error::SocketTaken(address.clone())),
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_back_as_it_was_written() {
        let longest = format!("unix:{}", "p".repeat(LONGEST));
        for text in [
            "127.0.0.1:8081",
            "[::1]:0",
            "[::ffff:127.0.0.1]:8081",
            "unix:/run/buggy_server.sock",
            "unix:relative",
            "unix:./@file",
            "unix:@name",
            "unix:@@",
            &longest,
        ] {
            assert_eq!(
                text.parse::<ControlAddress>().map(|address| address.to_string()).as_deref(),
                Ok(text)
            );
        }
        assert_eq!("unix:@name".parse(), Ok(ControlAddress::Abstract("name".to_owned())));
    }

    #[test]
    fn an_address_without_a_port_or_a_path_or_with_too_much_of_it_is_none() {
        for text in
            ["", "unix:", "unix:@", "127.0.0.1", "localhost:8081", ":8081", "::1:8081", "[::1]", "@name"]
        {
            assert_eq!(text.parse::<ControlAddress>(), Err(NotAnAddress::Malformed), "{text:?}");
        }
        for prefix in ["unix:", "unix:@", "unix:/"] {
            let text = format!("{prefix}{}", "p".repeat(LONGEST + 1));
            assert!(
                matches!(text.parse::<ControlAddress>(), Err(NotAnAddress::TooLong(108 | 109))),
                "{text:?}"
            );
        }
    }
}
