//! Against peers that behave in every way a listening socket can.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream as Stream};
use std::time::Instant;

use super::*;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build().expect("a runtime")
}

/// Probes `url` once.
fn probe(url: &str, timeout: Duration) -> Outcome {
    runtime().block_on(HttpProbe::new(url.parse().expect("a URL")).run(timeout))
}

/// Probes a peer that does `behave` with the first connection, once it has read the request.
fn probe_peer(timeout: Duration, behave: impl FnOnce(Stream) + Send + 'static) -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/healthz", listener.local_addr().expect("an address"));
    let peer = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut request = [0; 1024];
        let length = stream.read(&mut request).expect("a request");
        assert!(request[..length].starts_with(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:"));
        behave(stream);
    });
    let outcome = probe(&url, timeout);
    peer.join().expect("the peer's part");
    outcome
}

fn unhealthy(reason: &str) -> Outcome {
    Outcome::Unhealthy(Reason::new(reason.to_owned()))
}

/// Waits for the probe to hang up.
fn until_closed(mut stream: Stream) {
    let _ = stream.read(&mut [0]);
}

const AMPLE: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(50);

#[test]
fn a_peer_that_answers_is_healthy_even_if_it_keeps_the_connection() {
    let outcome = probe_peer(AMPLE, |mut stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").expect("to answer");
        until_closed(stream);
    });
    assert_eq!(outcome, Outcome::Healthy);
}

#[test]
fn a_peer_that_answers_in_pieces_is_healthy() {
    let outcome = probe_peer(AMPLE, |mut stream| {
        stream.set_nodelay(true).expect("no delay");
        for byte in b"HTTP/1.1 200 OK\r\n\r\nok" {
            stream.write_all(&[*byte]).expect("to answer");
        }
    });
    assert_eq!(outcome, Outcome::Healthy);
}

#[test]
fn a_peer_that_never_stops_sending_is_judged_by_its_status() {
    let outcome = probe_peer(AMPLE, |mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    });
    assert_eq!(outcome, Outcome::Healthy);
}

#[test]
fn a_peer_that_reports_trouble_is_unhealthy() {
    let outcome = probe_peer(AMPLE, |mut stream| {
        stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\n\r\n").expect("to answer");
        until_closed(stream);
    });
    assert_eq!(outcome, unhealthy("status 503"));
}

#[test]
fn a_silent_peer_costs_a_probe_its_deadline_and_no_more() {
    let before = Instant::now();
    assert_eq!(probe_peer(SHORT, until_closed), unhealthy("no answer in 50 ms after the request was sent"));
    let took = before.elapsed();
    assert!(took >= SHORT && took < AMPLE, "{took:?}");
}

#[test]
fn a_peer_that_drips_costs_a_probe_its_deadline_and_no_more() {
    let outcome = probe_peer(SHORT, |mut stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n.").expect("to answer");
        stream.set_read_timeout(Some(Duration::from_millis(5))).expect("a timeout");
        // A drip every 5 ms, until the probe hangs up.
        while stream.read(&mut [0]).is_err() && stream.write_all(b".").is_ok() {}
    });
    assert_eq!(outcome, unhealthy("answer incomplete after 50 ms"));
}

#[test]
fn a_peer_that_hangs_up_is_unhealthy_and_the_reason_says_when() {
    assert_eq!(probe_peer(AMPLE, drop), unhealthy("connection closed before an answer"));
    let outcome = probe_peer(AMPLE, |mut stream| stream.write_all(b"HTTP/1.1 2").expect("to answer"));
    assert_eq!(outcome, unhealthy("connection closed in the middle of the answer"));
}

#[test]
fn a_peer_that_resets_the_connection_is_unhealthy() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let peer = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a connection");
        // To close with the request unread is to reset.
        stream.peek(&mut [0]).expect("a request");
    });
    assert_eq!(probe(&url, AMPLE), unhealthy("connection reset before an answer"));
    peer.join().expect("the peer's part");
}

#[test]
fn a_peer_that_is_not_http_is_unhealthy_and_quoted() {
    let outcome = probe_peer(AMPLE, |mut stream| stream.write_all(b"220 ready\r\n").expect("to answer"));
    assert_eq!(outcome, unhealthy("not an HTTP answer: invalid HTTP version: \"220 ready\\r\\n\""));
}

#[test]
fn a_port_without_a_listener_is_refused() {
    let (_reserved, port) = reserved_port();
    for host in ["127.0.0.1", "localhost"] {
        let outcome = probe(&format!("http://{host}:{port}/"), AMPLE);
        assert_eq!(outcome, unhealthy("connection refused"));
    }
}

#[test]
fn a_listener_whose_queue_is_full_lets_no_probe_connect() {
    let listener = listener_without_backlog();
    let address = listener.local_addr().expect("an address");
    // One more than the backlog of 0 holds: from then on, the kernel drops what wants to connect.
    let _waiting = Stream::connect(address).expect("room for one");
    let url = format!("http://{address}/");
    assert_eq!(probe(&url, SHORT), unhealthy("no connection within 50 ms"));
}

/// A port of 127.0.0.1 that nobody listens on, and nobody else can take while the test holds it.
fn reserved_port() -> (tokio::net::TcpSocket, u16) {
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let port = socket.local_addr().expect("an address").port();
    (socket, port)
}

/// A listener with a backlog of 0, which the standard library does not offer.
fn listener_without_backlog() -> TcpListener {
    runtime().block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
        socket.listen(0).expect("to listen").into_std().expect("a listener")
    })
}

#[test]
fn redirects_are_answers_and_are_not_followed() {
    let outcome = probe_peer(AMPLE, |mut stream| {
        // Nothing listens where this leads: to follow it would be to be refused.
        let head = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(head).expect("to answer");
    });
    assert_eq!(outcome, Outcome::Healthy);
}

#[test]
fn localhost_is_also_found_on_ipv6() {
    let (_reserved, port) = reserved_port();
    let Ok(listener) = TcpListener::bind(("::1", port)) else {
        eprintln!("skipped: this host has no IPv6 loopback");
        return;
    };
    let url = format!("http://localhost:{port}/");
    let peer = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        assert!(stream.read(&mut [0; 1024]).expect("a request") > 0);
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").expect("to answer");
    });
    assert_eq!(probe(&url, AMPLE), Outcome::Healthy);
    peer.join().expect("the peer's part");
}

#[test]
fn a_name_that_does_not_exist_is_unhealthy_with_the_name() {
    let outcome = probe("http://no-such-host.invalid/", AMPLE);
    let Outcome::Unhealthy(reason) = outcome else { panic!("healthy") };
    assert!(reason.to_string().starts_with("cannot look up no-such-host.invalid: "), "{reason}");
}
