//! Peers that behave in every way a listening socket can, for the tests of all probes.

use super::Deadline;
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use clap::Parser;

use super::{ProbeError, Probes};
use crate::words::outcome::Outcome;

#[cfg(feature = "tls")]
pub mod authority;

/// A deadline that no test should see the end of.
pub const AMPLE: Duration = Duration::from_secs(20);
/// One that it should.
pub const SHORT: Duration = Duration::from_millis(50);
/// The same where the peer must have done something before.
pub const LATER: Duration = Duration::from_secs(1);

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime")
}

/// The probes of a command line.
pub fn probes(options: &[&str]) -> Result<Probes, ProbeError> {
    let argv = ["sd-watchdog"].iter().chain(options).chain(&["--", "server"]);
    let cli = crate::cli::Cli::try_parse_from(argv).unwrap_or_else(|error| panic!("{error}"));
    Probes::new(&cli.wrap.probes, &crate::service::children::Children::new())
}

/// Probes once.
pub fn run(options: &[&str], timeout: Duration) -> Outcome {
    run_until(options, &Deadline::after(timeout))
}

fn run_until(options: &[&str], deadline: &Deadline) -> Outcome {
    let probes = probes(options).unwrap_or_else(|error| panic!("{error}"));
    let runtime = runtime();
    let outcome = runtime.block_on(probes.run(deadline));
    runtime.shutdown_background();
    outcome
}

/// Probes once with the one probe there is. Empty for healthy, or else the reason, without the name in front.
pub fn reason(options: &[&str], timeout: Duration) -> String {
    reason_until(options, &Deadline::after(timeout))
}

/// The same, where the deadline does not come before `peer` was connected to, however busy this machine is.
pub fn reason_with(peer: &Peer, options: &[&str], timeout: Duration) -> String {
    reason_until(options, &Deadline::after(timeout).not_before(peer.connected.clone()))
}

fn reason_until(options: &[&str], deadline: &Deadline) -> String {
    let name = probes(options).unwrap_or_else(|error| panic!("{error}")).to_string();
    match run_until(options, deadline) {
        Outcome::Healthy => String::new(),
        Outcome::Unhealthy(reason) => {
            let reason = reason.to_string();
            reason
                .strip_prefix(&format!("{name}: "))
                .unwrap_or_else(|| panic!("no {name} in {reason}"))
                .to_owned()
        }
    }
}

/// Given by a peer when it has done its part, and waited for by the deadline of a probe.
#[derive(Debug, Clone, Default)]
pub struct Cue {
    is_given: Arc<AtomicBool>,
    was_seen: Cell<bool>,
}

impl Cue {
    /// Until it was given, and for one more turn of the runtime: what the peer did before reaches the probe in that.
    pub fn is_to_be_waited_for(&self) -> bool {
        !(self.is_given.load(Ordering::Acquire) && self.was_seen.replace(true))
    }
}

/// A peer that lives as long as this, and whose part must have gone well.
pub struct Peer {
    pub address: SocketAddr,
    /// Given when the first connection is accepted, where one is.
    pub connected: Cue,
    part: Option<JoinHandle<()>>,
}

impl Peer {
    /// Does `behave` with the first connection.
    pub fn new(behave: impl FnOnce(TcpStream) + Send + 'static) -> Self {
        let connected = Cue::default();
        let cue = connected.is_given.clone();
        let mut peer = Self::listening(move |listener| {
            let stream = listener.accept().expect("a connection").0;
            cue.store(true, Ordering::Release);
            behave(stream);
        });
        peer.connected = connected;
        peer
    }

    /// Does `play` with the listener.
    pub fn listening(play: impl FnOnce(TcpListener) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        Self { address, connected: Cue::default(), part: Some(std::thread::spawn(move || play(listener))) }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Where the test has failed, the peer may wait for a connection that never comes.
        if !std::thread::panicking() {
            self.part.take().expect("a part").join().expect("the peer's part");
        }
    }
}

/// Reads what is sent up to and with `end`.
pub fn read_until(stream: &mut impl Read, end: &[u8]) -> Vec<u8> {
    let mut request = Vec::new();
    while !request.ends_with(end) {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("more of a request");
        request.push(byte[0]);
    }
    request
}

/// Reads one HTTP request, and answers with `answer`.
pub fn answer_http(stream: &mut (impl Read + Write), answer: &[u8]) -> String {
    let request = read_until(stream, b"\r\n\r\n");
    stream.write_all(answer).expect("to answer");
    stream.flush().expect("to answer");
    String::from_utf8(request).expect("ASCII")
}

/// Waits for the probe to hang up.
pub fn until_closed(mut stream: TcpStream) {
    while stream.read(&mut [0; 1024]).is_ok_and(|length| length > 0) {}
}

/// A port of 127.0.0.1 that nobody listens on, and nobody else can take while the test holds it.
pub fn reserved_port() -> (tokio::net::TcpSocket, u16) {
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let port = socket.local_addr().expect("an address").port();
    (socket, port)
}

/// A listener with a backlog of 0, which the standard library does not offer.
pub fn listener_without_backlog() -> TcpListener {
    runtime().block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
        socket.listen(0).expect("to listen").into_std().expect("a listener")
    })
}
