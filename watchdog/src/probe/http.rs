//! `--http URL`: GET over a new connection, as a new client would.
//!
//! - Every probe makes its own connection. A kept one would go on working where new clients are no longer let in, and
//!   that a connection was accepted proves nothing: the kernel accepts for a process that is stuck. Only an answer does.
//! - The deadline covers name lookup, connecting, the request, and the whole answer.
//! - Redirects are an answer (status 200–399 is healthy) and are not followed. Proxy variables are not read.
//! - IP addresses and `localhost` need no lookup. Other names go to getaddrinfo(3), which blocks and so needs a thread;
//!   a lookup that outlives its probe is taken up by the next one, so there is never a second.
//! - The connection is closed in the ordinary way, not reset: some servers log every reset. On loopback the kernel
//!   reuses ports in TIME_WAIT (`net.ipv4.tcp_tw_reuse`).

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::task::{Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use self::answer::{Answer, Progress};
use self::target::Host;
pub use self::target::{Target, TargetError};
use super::{Outcome, Reason};
use crate::span::Span;

mod answer;
mod target;

/// Probes one [`Target`].
#[derive(Debug)]
pub struct HttpProbe {
    target: Target,
    lookup: RefCell<Option<Lookup>>,
}

type Lookup = JoinHandle<io::Result<Vec<SocketAddr>>>;

/// How far a probe got, for the reason at its deadline.
#[derive(Debug, Clone, Copy)]
enum Stage {
    Lookup,
    Connect,
    Wait,
    Read,
}

impl HttpProbe {
    /// A probe of `target`.
    pub fn new(target: Target) -> Self {
        Self { target, lookup: RefCell::new(None) }
    }

    /// Probes once, within `timeout`. Needs a Tokio runtime with I/O and time.
    pub async fn run(&self, timeout: Duration) -> Outcome {
        let stage = Cell::new(Stage::Lookup);
        // Looks at the attempt before the clock: an answer that is there counts, however late we come to look.
        match tokio::time::timeout(timeout, self.attempt(&stage)).await {
            Ok(Ok(())) => Outcome::Healthy,
            Ok(Err(reason)) => Outcome::Unhealthy(reason),
            Err(_) => Outcome::Unhealthy(self.overdue(stage.get(), timeout)),
        }
    }

    fn overdue(&self, stage: Stage, timeout: Duration) -> Reason {
        let timeout = Span(timeout);
        Reason::new(match stage {
            Stage::Lookup => format!("{} not looked up within {timeout}", self.target.host()),
            Stage::Connect => format!("no connection within {timeout}"),
            Stage::Wait => format!("no answer in {timeout} after the request was sent"),
            Stage::Read => format!("answer incomplete after {timeout}"),
        })
    }

    async fn attempt(&self, stage: &Cell<Stage>) -> Result<(), Reason> {
        let mut stream = self.connect(stage).await?;
        stage.set(Stage::Wait);
        let mut answer = Answer::default();
        stream.write_all(self.target.request()).await.map_err(|error| broken(&error, &answer))?;
        loop {
            match stream.read_buf(answer.buffer()).await {
                Ok(0) => return answer.closed(),
                Ok(_) => stage.set(Stage::Read),
                Err(error) => return Err(broken(&error, &answer)),
            }
            match answer.progress()? {
                Progress::Complete => return Ok(()),
                Progress::Incomplete => {}
            }
        }
    }

    /// Tries the addresses in order. One that swallows packets uses up the deadline of those behind it.
    async fn connect(&self, stage: &Cell<Stage>) -> Result<TcpStream, Reason> {
        let looked_up;
        let addresses = match self.target.host() {
            Host::Addresses(addresses) => addresses,
            Host::Name(name) => {
                looked_up = self
                    .look_up(name)
                    .await
                    .map_err(|error| Reason::new(format!("cannot look up {name}: {error}")))?;
                &looked_up
            }
        };
        stage.set(Stage::Connect);
        let mut reason = Reason::new("the name has no address");
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                    reason = Reason::new("connection refused");
                }
                Err(error) => reason = Reason::new(format!("cannot connect: {error}")),
            }
        }
        Err(reason)
    }

    async fn look_up(&self, name: &str) -> io::Result<Vec<SocketAddr>> {
        poll_fn(|context| {
            let mut slot = self.lookup.borrow_mut();
            let lookup = slot.get_or_insert_with(|| {
                let address = (name.to_owned(), self.target.port());
                tokio::task::spawn_blocking(move || Ok(address.to_socket_addrs()?.collect()))
            });
            let found = ready!(Pin::new(lookup).poll(context));
            *slot = None;
            Poll::Ready(found.unwrap_or_else(|panicked| Err(io::Error::other(panicked))))
        })
        .await
    }
}

fn broken(error: &io::Error, answer: &Answer) -> Reason {
    let how = match error.kind() {
        ErrorKind::ConnectionReset => "reset",
        ErrorKind::BrokenPipe => "closed",
        _ => return Reason::new(format!("connection failed: {error}")),
    };
    let when = if answer.has_begun() { "in the middle of the answer" } else { "before an answer" };
    Reason::new(format!("connection {how} {when}"))
}

#[cfg(test)]
mod tests;
