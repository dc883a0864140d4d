//! Where a probe connects to, and how far it got when its deadline came.
//!
//! - IP addresses and `localhost` need no lookup; for other names see the module `lookup`.
//! - Addresses are tried in order. One that swallows packets uses up the deadline of those behind it.
//! - The connection is closed in the ordinary way, not reset: some servers log every reset. On loopback the kernel
//!   reuses ports in TIME_WAIT (`net.ipv4.tcp_tw_reuse`).

use std::cell::Cell;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;
use std::time::Instant;

use rustix::io::Errno;
use tokio::net::{TcpStream, UnixStream};

use super::address::{self, AddressError, Host};
use super::deadline::{Deadline, Waited};
use super::lookup::Lookup;
use super::plain::{Plain, Stage};
use crate::kernel::alarm;
use crate::kernel::alarm::Elapsed;
use crate::words::outcome::{Cause, Outcome, Reason};

/// A Unix socket whose queue is full refuses at once what TCP would let wait: how long until it is asked again.
const FULL_QUEUE_GAP: Duration = Duration::from_millis(5);

/// Something to connect to, for every probe anew.
#[derive(Debug)]
pub struct Endpoint {
    place: Place,
    lookup: Lookup,
}

#[derive(Debug)]
enum Place {
    Tcp { host: Host, port: u16 },
    Unix(PathBuf),
}

/// Runs `attempt` until `deadline` at most. It is pinned already because a future that is passed on by value is stored
/// twice, and this one is allocated for every probe. Looks at the attempt before the clock: an answer that is there counts, however
/// late we come to look.
pub async fn within(
    deadline: &Deadline,
    attempt: Pin<&mut impl Future<Output = Result<(), Reason>>>,
    overdue: impl FnOnce(Waited) -> Reason,
) -> Outcome {
    let started = Instant::now();
    match alarm::until(|now| deadline.next(started, now), attempt).await {
        Ok(Ok(())) => Outcome::Healthy,
        Ok(Err(reason)) => Outcome::Unhealthy(reason),
        Err(Elapsed) => Outcome::Unhealthy(overdue(deadline.waited(started))),
    }
}

impl Endpoint {
    /// Over TCP. `host` is an address or a name, without brackets.
    pub fn tcp(host: &str, port: u16) -> Self {
        Self::at(Place::Tcp { host: Host::new(host, port), port })
    }

    /// The same, written HOST:PORT.
    pub fn host_and_port(text: &str) -> Result<Self, AddressError> {
        address::host_and_port(text).map(|(host, port)| Self::tcp(host, port))
    }

    /// A Unix socket: a path, or `@` and an abstract name.
    pub fn unix(path: &str) -> Result<Self, AddressError> {
        address::unix_path(path).map(|path| Self::at(Place::Unix(path)))
    }

    fn at(place: Place) -> Self {
        Self { place, lookup: Lookup::default() }
    }

    /// The reason of a probe that got to `stage` in the time that it was waited for.
    pub fn overdue(&self, stage: Stage, timeout: &Waited) -> Reason {
        Reason::new(
            Cause::Timeout,
            match stage {
                Stage::Lookup => match &self.place {
                    Place::Tcp { host, .. } => format!("{host} not looked up within {timeout}"),
                    Place::Unix(_) => format!("no connection within {timeout}"),
                },
                Stage::Connect => format!("no connection within {timeout}"),
                #[cfg(feature = "tls")]
                Stage::Handshake => format!("TLS handshake not complete within {timeout}"),
                Stage::Listen => format!("no answer in {timeout}"),
                Stage::Wait => format!("no answer in {timeout} after the request was sent"),
                Stage::Read => format!("answer incomplete after {timeout}"),
            },
        )
    }

    /// Connects. `stage` says how far it is.
    pub async fn connect(&self, stage: &Cell<Stage>) -> Result<Plain, Reason> {
        match &self.place {
            Place::Unix(path) => {
                stage.set(Stage::Connect);
                connect_unix(path).await.map(Plain::Unix)
            }
            Place::Tcp { host: Host::Addresses(addresses), .. } => {
                stage.set(Stage::Connect);
                connect_tcp(addresses).await.map(Plain::Tcp)
            }
            Place::Tcp { host: Host::Name(name), port } => {
                stage.set(Stage::Lookup);
                let addresses = self.lookup.addresses(name, *port).await?;
                stage.set(Stage::Connect);
                connect_tcp(&addresses).await.map(Plain::Tcp)
            }
        }
    }
}

async fn connect_tcp(addresses: &[SocketAddr]) -> Result<TcpStream, Reason> {
    // The first refusal is the one to tell: behind 127.0.0.1, ::1 may fail only because the host has no IPv6.
    let mut first = None;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => first = first.or_else(|| Some(not_connected(&error))),
        }
    }
    Err(first.unwrap_or_else(|| Reason::new(Cause::Lookup, "the name has no address")))
}

async fn connect_unix(path: &Path) -> Result<UnixStream, Reason> {
    loop {
        match UnixStream::connect(path).await {
            Ok(stream) => return Ok(stream),
            // The kernel tells nobody when there is room again (unix(7)), so this is a question of asking.
            Err(error) if error.kind() == ErrorKind::WouldBlock => tokio::time::sleep(FULL_QUEUE_GAP).await,
            Err(error) => return Err(not_connected(&error)),
        }
    }
}

fn not_connected(error: &io::Error) -> Reason {
    match Errno::from_io_error(error) {
        Some(Errno::CONNREFUSED) => Reason::new(Cause::Refused, "connection refused"),
        Some(Errno::NOENT) => Reason::new(Cause::Connect, "cannot connect: there is no such socket"),
        Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::NOBUFS) => {
            Reason::new(Cause::System, format!("cannot connect: {error}"))
        }
        _ => Reason::new(Cause::Connect, format!("cannot connect: {error}")),
    }
}

/// For tests and logs.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Tcp { host: Host::Addresses(addresses), .. } => write!(f, "addresses {addresses:?}"),
            Place::Tcp { host: Host::Name(name), port } => write!(f, "name {name} port {port}"),
            Place::Unix(path) => write!(f, "socket {}", path.display().to_string().replace('\0', "@")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::testing::{reserved_port, runtime};

    #[test]
    fn of_several_addresses_the_first_says_why_there_is_no_connection() {
        let (_reserved, port) = reserved_port();
        // Nobody can connect to a broadcast address, which fails in another way.
        let addresses = [([127, 0, 0, 1], port).into(), ([255, 255, 255, 255], port).into()];
        let connect =
            |addresses: &[SocketAddr]| runtime().block_on(connect_tcp(addresses)).expect_err("a reason");
        assert_ne!(connect(&addresses[1..]).cause(), Cause::Refused);
        assert_eq!(connect(&addresses).cause(), Cause::Refused);
        assert_eq!(connect(&[]).to_string(), "the name has no address");
    }

    #[test]
    fn what_this_host_has_run_out_of_is_not_the_services_fault() {
        let cause = |errno: Errno| not_connected(&errno.into()).cause();
        assert_eq!(cause(Errno::MFILE), Cause::System);
        assert_eq!(cause(Errno::CONNREFUSED), Cause::Refused);
        assert_eq!(cause(Errno::HOSTUNREACH), Cause::Connect);
    }
}
