use crate::probe::Deadline;
use std::future::poll_fn;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use super::take_in;
use crate::probe::testing::*;
use crate::words::outcome::{Cause, Outcome};

const HEALTHY: &str = "";

/// Probes a peer that does `behave`.
fn probe_peer(
    options: &[&str],
    timeout: Duration,
    behave: impl FnOnce(std::net::TcpStream) + Send + 'static,
) -> String {
    let peer = Peer::new(behave);
    reason_with(&peer, &[&["--tcp", &peer.address.to_string()], options].concat(), timeout)
}

#[test]
fn a_connection_is_enough_where_nothing_is_expected() {
    assert_eq!(probe_peer(&[], AMPLE, until_closed), HEALTHY);
    let sent = probe_peer(&["--send", r"QUIT\r\n"], AMPLE, |mut stream| {
        assert_eq!(read_until(&mut stream, b"\n"), b"QUIT\r\n");
    });
    assert_eq!(sent, HEALTHY);
    let (_reserved, port) = reserved_port();
    assert_eq!(reason(&["--tcp", &format!("127.0.0.1:{port}")], AMPLE), "connection refused");
}

#[test]
fn what_is_expected_may_come_in_pieces_and_ends_the_probe() {
    let outcome = probe_peer(&["--send", r"PING\r\n", "--expect", r"+PONG\r\n"], AMPLE, |mut stream| {
        stream.set_nodelay(true).expect("no delay");
        assert_eq!(read_until(&mut stream, b"\n"), b"PING\r\n");
        for byte in b"+PO+PONG\r\n" {
            stream.write_all(&[*byte]).expect("to answer");
        }
        until_closed(stream);
    });
    assert_eq!(outcome, HEALTHY);
}

#[test]
fn what_is_expected_is_found_however_it_is_cut() {
    for pieces in
        [&["+PONG"][..], &["+PO", "NG"], &["+", "P", "O", "N", "G"], &["+PO+P", "ONG\r\n"], &["x", "x+PONG"]]
    {
        let mut answer = Vec::new();
        let found: Vec<bool> =
            pieces.iter().map(|piece| take_in(&mut answer, piece.as_bytes(), b"+PONG")).collect();
        assert_eq!(found.iter().position(|found| *found), Some(pieces.len() - 1), "{pieces:?}");
        assert_eq!(answer, pieces.concat().as_bytes());
    }
}

#[test]
fn a_peer_may_speak_first() {
    let greet = |mut stream: std::net::TcpStream| {
        stream.write_all(b"SSH-2.0-x\r\n").expect("to greet");
        until_closed(stream);
    };
    assert_eq!(probe_peer(&["--expect", "SSH-"], AMPLE, greet), HEALTHY);
    assert_eq!(probe_peer(&["--expect", "SSH-"], SHORT, until_closed), "no answer in 50 ms");
}

#[test]
fn another_answer_is_unhealthy_and_quoted() {
    let options = ["--send", "PING", "--expect", "+PONG"];
    let answer = |answer: &'static [u8]| {
        move |mut stream: std::net::TcpStream| {
            read_until(&mut stream, b"PING");
            stream.write_all(answer).expect("to answer");
        }
    };
    let outcome = probe_peer(&options, AMPLE, answer(b"-LOADING\r\n"));
    assert_eq!(outcome, "answered \"-LOADING\\r\\n\", without \"+PONG\"");
    assert_eq!(probe_peer(&options, AMPLE, answer(b"")), "connection closed before an answer");
    let outcome = probe_peer(&options, LATER, |mut stream| {
        stream.write_all(b"-ERR").expect("to answer");
        until_closed(stream);
    });
    assert_eq!(outcome, "answered \"-ERR\", without \"+PONG\" after 1 s");
    let outcome = probe_peer(&options, SHORT, until_closed);
    assert_eq!(outcome, "no answer in 50 ms after the request was sent");
}

#[test]
fn an_endless_answer_is_read_to_64_kib() {
    let outcome =
        probe_peer(&["--expect", "y"], AMPLE, |mut stream| while stream.write_all(&[b'x'; 4096]).is_ok() {});
    assert!(outcome.ends_with("xxx…\", without \"y\" in the first 64 KiB"), "{outcome}");
}

#[test]
fn a_unix_socket_has_a_path_or_an_abstract_name() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("my.sock");
    let path = path.to_str().expect("UTF-8");
    let abstract_name = format!("hangproof-test-{}", std::process::id());
    let abstract_address =
        <std::os::unix::net::SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(
            &abstract_name,
        )
        .expect("a name");
    for (given, listener) in [
        (path.to_owned(), UnixListener::bind(path)),
        (format!("@{abstract_name}"), UnixListener::bind_addr(&abstract_address)),
    ] {
        let listener = listener.expect("a socket");
        let peer = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            stream.write_all(b"ready").expect("to answer");
            let _ = stream.read(&mut [0]);
        });
        assert_eq!(reason(&["--unix", &given, "--expect", "ready"], AMPLE), HEALTHY);
        peer.join().expect("the peer's part");
        let gone = reason(&["--unix", &given, "--expect", "ready"], AMPLE);
        assert_eq!(gone, "connection refused");
    }
}

#[test]
fn a_unix_socket_whose_queue_is_full_is_waited_for_up_to_the_deadline() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("my.sock");
    let listener = UnixListener::bind(&path).expect("a socket");
    rustix::net::listen(&listener, 0).expect("a backlog of 0");
    let waiting = UnixStream::connect(&path).expect("room for one");
    let options = ["--unix", path.to_str().expect("UTF-8")];
    let Outcome::Unhealthy(full) = run(&options, SHORT) else { panic!("healthy") };
    assert!(full.to_string().ends_with(": no connection within 50 ms"), "{full}");
    assert_eq!(full.cause(), Cause::Timeout);
    // Somebody is let in while the probe waits.
    let probes = probes(&options).expect("a probe");
    let outcome = runtime().block_on(async {
        let deadline = Deadline::after(AMPLE);
        let mut probe = pin!(probes.run(&deadline));
        poll_fn(|context| {
            assert!(probe.as_mut().poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
        let _let_in = listener.accept().expect("who waited");
        probe.await
    });
    assert_eq!(outcome, Outcome::Healthy);
    drop(waiting);
}
