//! Where the control endpoint is: a TCP address or a unix socket.

use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use rustix::fs::Mode;
use rustix::process::umask;
use tokio::net::{TcpListener, UnixListener};

use crate::error::Error;

/// The address of a control endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlAddress {
    /// An IP address and a port.
    Tcp(SocketAddr),
    /// The path of a unix socket.
    Unix(PathBuf),
}

/// An address that cannot be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write an IP address and a port, such as 127.0.0.1:8081, or unix:PATH")]
pub struct NotAnAddress;

impl FromStr for ControlAddress {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        match text.strip_prefix("unix:") {
            Some("") => Err(NotAnAddress),
            Some(path) => Ok(Self::Unix(path.into())),
            None => text.parse().map(Self::Tcp).map_err(|_| NotAnAddress),
        }
    }
}

impl fmt::Display for ControlAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
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
        }
    }

    /// Where it listens. For port 0 that is the port the kernel chose.
    pub fn address(&self) -> &ControlAddress {
        match self {
            Self::Tcp(_, address) | Self::Unix(_, SocketFile { address, .. }) => address,
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
        for text in ["127.0.0.1:8081", "[::1]:0", "unix:/run/buggy_server.sock", "unix:relative"] {
            assert_eq!(
                text.parse::<ControlAddress>().map(|address| address.to_string()).as_deref(),
                Ok(text)
            );
        }
    }

    #[test]
    fn an_address_without_a_port_or_a_path_is_none() {
        for text in ["", "unix:", "127.0.0.1", "localhost:8081", ":8081"] {
            assert_eq!(text.parse::<ControlAddress>(), Err(NotAnAddress), "{text:?}");
        }
    }
}
