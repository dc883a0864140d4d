//! The page, live: an HTTP server for browsers at this computer.
//!
//! ```text
//! accept ──► seat ──► gate ──► desk ─┬─► page, assets
//!           (bounded) (is it ours?)  ├─► events ◄── hub ◄── whoever tells
//!                                    └─► stage: deeds, exports
//! ```
//!
//! - [`gate`]: which requests pass; [`token`]: the secret that the page carries
//! - `desk`: what each request comes to; `answer`: with which headers
//! - [`events`]: tellings as server-sent events
//! - `seats`, `paced`: no client takes more than its share of connections, memory or time
//! - [`stage`], [`deed`]: what is behind the page
//!
//! docs/page.md is the reference.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::net::sockopt;
use server::setback::Setback;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{self, Runtime};
use tokio::time::sleep;

use self::desk::Desk;
use self::gate::Gate;
use self::paced::Paced;
use self::seats::{Seat, Seats};
use self::stage::Stage;
use self::token::Token;
use super::hub::Hub;

mod answer;
pub mod deed;
mod desk;
pub mod events;
pub mod gate;
mod paced;
mod seats;
pub mod stage;
#[cfg(test)]
mod tests;
pub mod token;

/// The page's port where nothing else is said; the service has 8080.
pub const PORT: u16 = 8090;

/// How long a connection that nobody closes in order may take to be gone.
const STOP: Duration = Duration::from_millis(200);
/// What the kernel keeps for a client that does not read, in bytes.
const SEND_BUFFER: usize = 128 << 10;
/// What is read of a head and kept of an answer, in bytes.
const BUFFER: usize = 16 << 10;

/// Where the page is, and for whom.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Names by which it may be opened, besides localhost.
    pub names: Vec<String>,
    /// The parts of the page.
    pub assets: Assets,
    /// How much clients may take.
    pub limits: Limits,
}

/// The parts of the page, besides the document.
#[derive(Clone, Copy, Debug)]
pub struct Assets {
    /// `/page.js`.
    pub script: &'static str,
    /// `/page.css`.
    pub style: &'static str,
    /// `/icon.svg`.
    pub icon: &'static str,
}

/// How much clients may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many may follow the events.
    pub streams: usize,
    /// How many connections there may be besides.
    pub others: usize,
    /// How long the head of a request may take, and how long a connection may be idle.
    pub head_deadline: Duration,
    /// How long the body of a deed may take.
    pub body_deadline: Duration,
    /// How long a deed may be, in bytes.
    pub body: usize,
    /// How long a client may take nothing of what is sent to it.
    pub patience: Duration,
    /// How often a stream of events in which nothing happens shows that it is alive.
    pub keep_alive: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            streams: 256,
            others: 64,
            head_deadline: Duration::from_secs(5),
            body_deadline: Duration::from_secs(5),
            body: 4096,
            patience: Duration::from_secs(10),
            keep_alive: Duration::from_secs(5),
        }
    }
}

impl Options {
    /// At this computer alone, on the usual port.
    pub fn new(assets: Assets) -> Self {
        let listen = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT);
        Self { listen, names: Vec::new(), assets, limits: Limits::default() }
    }
}

/// Why the page cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot listen there.
    #[error("the page cannot be served on {address}: {source}{}", remedy(source))]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// There are no threads for it.
    #[error("the page cannot be served: {0}")]
    Start(#[source] io::Error),
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => ". Another program has the port; --listen chooses another",
        io::ErrorKind::AddrNotAvailable => ". No interface of this computer has the address",
        io::ErrorKind::PermissionDenied => ". Ports below 1024 are root's",
        _ => "",
    }
}

/// A page that is being served, until this is dropped.
pub struct Server {
    address: SocketAddr,
    token: Token,
    seats: Seats,
    runtime: Option<Runtime>,
}

impl Server {
    /// Listens, and serves from then on, on threads of its own.
    pub fn start<S: Stage>(options: &Options, hub: Hub, stage: Arc<S>) -> Result<Self, Error> {
        let listen = |source| Error::Listen { address: options.listen, source };
        let listener = std::net::TcpListener::bind(options.listen).map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .max_blocking_threads(8)
            .thread_name("page")
            .enable_all()
            .build()
            .map_err(Error::Start)?;
        let listener = {
            let _inside = runtime.enter();
            TcpListener::from_std(listener).map_err(listen)?
        };
        let (token, limits) = (Token::random(), options.limits);
        let gate = Gate::new(address, &options.names, token.clone());
        let seats = Seats::new(limits.streams, limits.others);
        let desk = Arc::new(Desk::new(gate, hub, stage, options.assets, limits, seats.clone()));
        runtime.spawn(accept(listener, desk, limits, seats.clone()));
        Ok(Self { address, token, seats, runtime: Some(runtime) })
    }

    /// Where it listens: for port 0 that is the port the kernel chose.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where to find it from this computer.
    pub fn url(&self) -> String {
        let host = match self.address.ip().to_canonical() {
            ip if ip.is_loopback() || ip.is_unspecified() => "localhost".to_owned(),
            IpAddr::V6(ip) => format!("[{ip}]"),
            IpAddr::V4(ip) => ip.to_string(),
        };
        format!("http://{host}:{}/", self.address.port())
    }

    /// The secret of this start.
    pub fn token(&self) -> &Token {
        &self.token
    }

    /// How many clients follow the events.
    pub fn followers(&self) -> usize {
        self.seats.streams()
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(STOP);
        }
    }
}

async fn accept<S: Stage>(listener: TcpListener, desk: Arc<Desk<S>>, limits: Limits, seats: Seats) {
    let mut setback = Setback::default();
    loop {
        // Who finds no seat waits in the kernel, where it takes next to nothing.
        let seat = seats.take().await;
        if !setback.pause().is_zero() {
            sleep(setback.pause()).await;
        }
        match listener.accept().await {
            Ok((stream, _)) => {
                setback.succeeded();
                tokio::spawn(serve(stream, Arc::clone(&desk), limits, seat));
            }
            Err(error) => {
                if let Some(line) = setback.failed(&error, Instant::now()) {
                    tracing::warn!("the page cannot accept a connection: {line}");
                }
            }
        }
    }
}

/// One connection, to its end. What goes wrong on it is the client's to notice.
async fn serve<S: Stage>(stream: TcpStream, desk: Arc<Desk<S>>, limits: Limits, seat: Seat) {
    // What happened is to be seen at once. The others bound what a client takes that has stopped reading, or is gone without a
    // word; where the kernel refuses, the patience below is left.
    let _ = stream.set_nodelay(true);
    let _ = sockopt::set_socket_send_buffer_size(&stream, SEND_BUFFER);
    let patience = u32::try_from(limits.patience.as_millis()).unwrap_or(u32::MAX);
    let _ = sockopt::set_tcp_user_timeout(&stream, patience.saturating_mul(2));
    let service = service_fn(|request| desk.answer(request, &seat));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_deadline)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(Paced::new(stream, limits.patience)), service);
    let _ = connection.await;
}
