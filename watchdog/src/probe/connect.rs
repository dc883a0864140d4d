//! Where a probe connects to, and how far it got when its deadline came.
//!
//! - IP addresses and `localhost` need no lookup; for other names see the module `lookup`. The interface in `fe80::1%eth0`
//!   is looked up for every probe.
//! - The connection is closed in the ordinary way, not reset: some servers log every reset. On loopback the kernel
//!   reuses ports in TIME_WAIT (`net.ipv4.tcp_tw_reuse`).

use std::fmt;
use std::io::ErrorKind;
use std::net::{SocketAddr, SocketAddrV6};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::netdevice::name_to_index;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, socket};

use super::address::{self, AddressError, Host, Scoped};
use super::broken::not_connected;
use super::course::{Course, Stage};
use super::deadline::{Deadline, Waited};
use super::local;
use super::lookup::Lookup;
use super::plain::{NotConnected, Plain};
use super::tcp::{self, Answered};
use crate::kernel::alarm;
use crate::kernel::alarm::{Elapsed, sleep};
use crate::words::outcome::{Cause, Outcome, Reason};

/// A Unix socket whose queue is full refuses at once what TCP would let wait: how long until it is asked again.
const FULL_QUEUE_GAP: Duration = Duration::from_millis(5);
/// How long one of several addresses is tried alone, at most ("Connection Attempt Delay", RFC 8305, section 5).
const HEAD_START: Duration = Duration::from_millis(250);

/// Something to connect to, for every probe anew.
#[derive(Debug)]
pub struct Endpoint {
    place: Place,
    answered: Answered,
}

#[derive(Debug)]
enum Place {
    Addresses(Vec<SocketAddr>),
    Scoped(Box<Scoped>),
    Name(Box<Lookup>),
    Unix(PathBuf),
}

impl Endpoint {
    /// Over TCP. `host` is an address or a name, without brackets.
    pub fn tcp(host: &str, port: u16) -> Self {
        Self::at(match Host::new(host, port) {
            Host::Addresses(addresses) => Place::Addresses(addresses),
            Host::Scoped(scoped) => Place::Scoped(Box::new(scoped)),
            Host::Name(name) => Place::Name(Box::new(Lookup::new(&name, port))),
        })
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
        Self { place, answered: Answered::default() }
    }

    /// Runs `attempt` until `deadline` at most. The caller pins it: passed by value, a future is
    /// stored twice, and this one is allocated for every probe. Looks at the attempt before the clock: an answer that is there
    /// counts, however late we come to look.
    pub async fn within(
        &self,
        deadline: &Deadline,
        attempt: Pin<&mut impl Future<Output = Result<(), Reason>>>,
        overdue: impl FnOnce(Waited) -> Reason,
    ) -> Outcome {
        let started = Instant::now();
        let reason = match alarm::until(|now| deadline.next(started, now), attempt).await {
            Ok(Ok(())) => {
                if let (Place::Name(lookup), Some(address)) = (&self.place, self.answered.get()) {
                    lookup.healthy(address);
                }
                return Outcome::Healthy;
            }
            Ok(Err(reason)) => reason,
            Err(Elapsed) => overdue(deadline.waited(started)),
        };
        if let Place::Name(lookup) = &self.place {
            lookup.unhealthy();
        }
        Outcome::Unhealthy(reason)
    }

    /// The reason of a probe that got so far in the time that it was waited for.
    pub fn overdue(&self, course: &Course, timeout: &Waited) -> Reason {
        let text = match (course.stage(), &self.place) {
            (Stage::Lookup, Place::Name(lookup)) => return lookup.overdue(timeout),
            (Stage::Lookup | Stage::Connect, _) => {
                return course.refusal().unwrap_or_else(|| {
                    Reason::new(Cause::Timeout, format!("no connection within {timeout}"))
                });
            }
            #[cfg(feature = "tls")]
            (Stage::Handshake, _) => format!("TLS handshake not complete within {timeout}"),
            (Stage::Listen, _) => format!("no answer in {timeout}"),
            (Stage::Wait, _) => format!("no answer in {timeout} after the request was sent"),
            (Stage::Read, _) => format!("answer incomplete after {timeout}"),
        };
        Reason::new(Cause::Timeout, text)
    }

    /// Connects.
    pub async fn connect(&self, course: &Course) -> Result<Plain, Reason> {
        match &self.place {
            Place::Unix(path) => {
                course.reach(Stage::Connect);
                connect_unix(path).await
            }
            Place::Addresses(addresses) => {
                course.reach(Stage::Connect);
                tcp::in_order(addresses, &self.answered).await
            }
            Place::Scoped(scoped) => {
                course.reach(Stage::Connect);
                Box::pin(tcp::in_order(&[numbered(scoped)?], &self.answered)).await
            }
            // Apart, so that the others stay small.
            Place::Name(lookup) => Box::pin(self.connect_to(lookup, course)).await,
        }
    }

    /// To what is known of a name; and while that refuses, or is silent, to where the service may have moved.
    async fn connect_to(&self, lookup: &Lookup, course: &Course) -> Result<Plain, Reason> {
        course.reach(Stage::Lookup);
        let known = lookup.addresses().await?;
        course.reach(Stage::Connect);
        let head_start = HEAD_START.min(course.timeout() / 4);
        let mut connecting = pin!(tcp::staggered(&known, head_start, &self.answered));
        let refusal = tokio::select! {
            biased;
            connected = &mut connecting => match connected {
                Ok(stream) => return Ok(stream),
                Err(reason) => Some(reason),
            },
            () = sleep(course.timeout() / 2) => None,
        };
        lookup.doubt();
        if let Some(reason) = refusal {
            course.refused(reason.clone());
            return match lookup.moved_from(&known).await {
                Some(addresses) => tcp::staggered(&addresses, head_start, &self.answered).await,
                None => Err(reason),
            };
        }
        tokio::select! {
            biased;
            connected = &mut connecting => connected,
            Some(addresses) = lookup.moved_from(&known) => {
                tcp::staggered(&addresses, head_start, &self.answered).await
            }
        }
    }
}

/// With the number that the interface has now: it may have come, or come anew, since the last probe.
fn numbered(Scoped { address, port, interface }: &Scoped) -> Result<SocketAddr, Reason> {
    let number = match interface.parse() {
        Ok(number) => number,
        Err(_) => socket(AddressFamily::INET6, SocketType::DGRAM, None)
            .and_then(|socket| name_to_index(socket, interface))
            .map_err(|errno| match errno {
                Errno::NODEV => Reason::new(
                    Cause::System,
                    format!("there is no interface {interface}; look at `ip link`"),
                ),
                errno => local::reason("look up the interface", &errno.into(), false),
            })?,
    };
    Ok(SocketAddrV6::new(*address, *port, 0, number).into())
}

async fn connect_unix(path: &Path) -> Result<Plain, Reason> {
    let not_connected = |NotConnected { error, when }| not_connected(&error, when, true);
    let address = match path.as_os_str().as_bytes() {
        [0, abstract_name @ ..] => SocketAddrUnix::new_abstract_name(abstract_name),
        path => SocketAddrUnix::new(path),
    };
    let address = address.map_err(|errno| not_connected(NotConnected::at_once(errno)))?;
    loop {
        match Plain::connect(AddressFamily::UNIX, &address).await {
            Ok(stream) => return Ok(stream),
            // The kernel tells nobody when there is room again (unix(7)), so this is a question of asking.
            Err(none) if none.error.kind() == ErrorKind::WouldBlock => sleep(FULL_QUEUE_GAP).await,
            Err(none) => return Err(not_connected(none)),
        }
    }
}

/// For tests and logs.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Addresses(addresses) => write!(f, "addresses {addresses:?}"),
            Place::Scoped(scoped) => {
                write!(f, "address {} port {} on {}", scoped.address, scoped.port, scoped.interface)
            }
            Place::Name(lookup) => write!(f, "name {} port {}", lookup.name(), lookup.port()),
            Place::Unix(path) => write!(f, "socket {}", path.display().to_string().replace('\0', "@")),
        }
    }
}

#[cfg(test)]
mod tests;
