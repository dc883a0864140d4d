use crate::probe::Deadline;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use crate::probe::testing::*;
use crate::words::outcome::{Cause, Outcome};

/// Probes a peer that does `behave` with the first connection, once it has read the request.
fn probe_peer(
    options: &[&str],
    timeout: Duration,
    behave: impl FnOnce(TcpStream) + Send + 'static,
) -> String {
    let peer = Peer::new(|mut stream| {
        let request = read_until(&mut stream, b"\r\n\r\n");
        assert!(request.starts_with(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:"));
        behave(stream);
    });
    let url = format!("http://{}/healthz", peer.address);
    reason_with(&peer, &[&["--http", &url], options].concat(), timeout)
}

/// The same with a peer that sends `answer` and hangs up.
fn probe_answer(options: &[&str], answer: &'static [u8]) -> String {
    probe_peer(options, AMPLE, |mut stream| {
        // It may be that not all of it is read.
        let _ = stream.write_all(answer);
    })
}

const HEALTHY: &str = "";

#[test]
fn a_peer_that_answers_is_healthy_even_if_it_keeps_the_connection() {
    let outcome = probe_peer(&[], AMPLE, |mut stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").expect("to answer");
        until_closed(stream);
    });
    assert_eq!(outcome, HEALTHY);
}

#[test]
fn a_peer_that_answers_in_pieces_is_healthy() {
    let outcome = probe_peer(&[], AMPLE, |mut stream| {
        stream.set_nodelay(true).expect("no delay");
        for byte in b"HTTP/1.1 200 OK\r\n\r\nok" {
            stream.write_all(&[*byte]).expect("to answer");
        }
    });
    assert_eq!(outcome, HEALTHY);
}

#[test]
fn a_peer_that_never_stops_sending_is_judged_by_its_status() {
    let outcome = probe_peer(&[], AMPLE, |mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    });
    assert_eq!(outcome, HEALTHY);
}

#[test]
fn a_peer_that_reports_trouble_is_unhealthy() {
    let outcome = probe_peer(&[], AMPLE, |mut stream| {
        stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\n\r\n").expect("to answer");
        until_closed(stream);
    });
    assert_eq!(outcome, "status 503");
}

#[test]
fn a_silent_peer_costs_a_probe_its_deadline_and_no_more() {
    let before = Instant::now();
    assert_eq!(probe_peer(&[], SHORT, until_closed), "no answer in 50 ms after the request was sent");
    let took = before.elapsed();
    assert!(took >= SHORT && took < AMPLE, "{took:?}");
}

#[test]
fn a_peer_that_drips_costs_a_probe_its_deadline_and_no_more() {
    let outcome = probe_peer(&[], LATER, |mut stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n.").expect("to answer");
        stream.set_read_timeout(Some(Duration::from_millis(5))).expect("a timeout");
        // A drip every 5 ms, until the probe hangs up.
        while stream.read(&mut [0]).is_err() && stream.write_all(b".").is_ok() {}
    });
    assert_eq!(outcome, "answer incomplete after 1 s");
}

#[test]
fn a_peer_that_hangs_up_is_unhealthy_and_the_reason_says_when() {
    assert_eq!(probe_answer(&[], b""), "connection closed before an answer");
    assert_eq!(probe_answer(&[], b"HTTP/1.1 2"), "connection closed in the middle of the answer");
}

#[test]
fn a_peer_that_resets_the_connection_is_unhealthy() {
    let peer = Peer::new(|stream| {
        // To close with the request unread is to reset.
        stream.peek(&mut [0]).expect("a request");
    });
    let url = format!("http://{}/", peer.address);
    assert_eq!(reason(&["--http", &url], AMPLE), "connection reset before an answer");
}

#[test]
fn a_peer_that_is_not_http_is_unhealthy_and_quoted() {
    let outcome = probe_answer(&[], b"220 ready\r\n");
    assert_eq!(outcome, "not an HTTP answer: invalid HTTP version: \"220 ready\\r\\n\"");
}

#[test]
fn a_port_without_a_listener_is_refused() {
    let (_reserved, port) = reserved_port();
    for host in ["127.0.0.1", "localhost"] {
        let Outcome::Unhealthy(reason) = run(&["--http", &format!("http://{host}:{port}/")], AMPLE) else {
            panic!("healthy")
        };
        assert_eq!(reason.to_string(), format!("http://{host}:{port}/: connection refused"));
        assert_eq!(reason.cause(), Cause::Refused);
    }
}

#[test]
fn a_listener_whose_queue_is_full_lets_no_probe_connect() {
    let listener = listener_without_backlog();
    let address = listener.local_addr().expect("an address");
    // One more than the backlog of 0 holds: from then on, the kernel drops what wants to connect.
    let _waiting = TcpStream::connect(address).expect("room for one");
    let url = format!("http://{address}/");
    assert_eq!(reason(&["--http", &url], SHORT), "no connection within 50 ms");
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
        answer_http(&mut stream, b"HTTP/1.1 204 No Content\r\n\r\n");
    });
    assert_eq!(reason(&["--http", &url], AMPLE), HEALTHY);
    peer.join().expect("the peer's part");
}

#[test]
fn an_interface_is_looked_up_for_the_probe_and_is_not_in_the_host_that_is_sent() {
    let gone = "http://[fe80::1%25no-such-if]:80/";
    let Outcome::Unhealthy(missing) = run(&["--http", gone], AMPLE) else { panic!("healthy") };
    assert_eq!(missing.to_string(), format!("{gone}: there is no interface no-such-if; look at `ip link`"));
    assert!(!missing.cause().counts(), "the service was not asked");
    let Ok(listener) = TcpListener::bind("[::1]:0") else {
        eprintln!("skipped: this host has no IPv6 loopback");
        return;
    };
    let port = listener.local_addr().expect("an address").port();
    let peer = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        answer_http(&mut stream, b"HTTP/1.1 204 No Content\r\n\r\n")
    });
    assert_eq!(reason(&["--http", &format!("http://[::1%25lo]:{port}/")], AMPLE), HEALTHY);
    let request = peer.join().expect("the peer's part");
    assert!(request.contains(&format!("\r\nHost: [::1]:{port}\r\n")), "{request}");
}

#[test]
fn a_name_that_does_not_exist_is_unhealthy_with_the_name() {
    let reason = reason(&["--http", "http://no-such-host.invalid/"], AMPLE);
    assert!(reason.starts_with("cannot look up no-such-host.invalid: "), "{reason}");
}

#[test]
fn the_answer_may_come_over_a_unix_socket() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("my:8080.sock");
    let options = ["--http-unix", &format!("{}:/healthz?x", path.display())];
    assert_eq!(reason(&options, AMPLE), "cannot connect: there is no such socket");
    let listener = UnixListener::bind(&path).expect("a socket");
    let peer = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        answer_http(&mut stream, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    });
    assert_eq!(reason(&options, AMPLE), HEALTHY);
    let request = peer.join().expect("the peer's part");
    assert!(request.starts_with("GET /healthz?x HTTP/1.1\r\nHost: localhost\r\n"), "{request}");
    assert_eq!(reason(&options, AMPLE), "connection refused");
}

#[test]
fn method_and_headers_are_sent_and_an_answer_to_head_has_no_body() {
    let peer = Peer::new(|mut stream| {
        let request = answer_http(&mut stream, b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n");
        assert!(request.starts_with("HEAD / HTTP/1.1\r\nUser-Agent: "), "{request}");
        assert!(request.ends_with("\r\nHost: example.org\r\nX-Probe: 1\r\n\r\n"), "{request}");
        until_closed(stream);
    });
    let url = format!("http://{}/", peer.address);
    let options =
        ["--http", &url, "--method", "HEAD", "--header", "Host: example.org", "--header", "X-Probe: 1"];
    assert_eq!(reason(&options, AMPLE), HEALTHY);
}

#[test]
fn status_says_what_is_healthy() {
    let status = ["--status", "200,404"];
    assert_eq!(probe_answer(&status, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), HEALTHY);
    let outcome = probe_answer(&status, b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(outcome, "status 302, expected 200,404");
}

#[test]
fn the_body_must_contain_what_is_asked_for() {
    const UP: &[u8] =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{up\r\n3\r\n: 1\r\n0\r\n\r\n";
    for (options, expected) in [
        (&["--body", "up: 1"][..], HEALTHY),
        (&["--body", "down"], "body does not contain \"down\" (\"{up: 1\")"),
        (&["--body-regex", r"^\{up:\s\d$"], HEALTHY),
        (&["--body-regex", "up:$"], "body does not match \"up:$\" (\"{up: 1\")"),
        (&["--body", "up", "--body-regex", "2"], "body does not match \"2\" (\"{up: 1\")"),
    ] {
        if cfg!(feature = "regex") || !options.contains(&"--body-regex") {
            assert_eq!(probe_answer(options, UP), expected, "{options:?}");
        }
    }
}

#[test]
fn a_body_that_never_ends_is_read_to_its_first_mebibyte() {
    let endless = |text: &'static [u8]| {
        probe_peer(&["--body", "needle"], AMPLE, move |mut stream| {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
            let _ = stream.write_all(&vec![b'x'; 900_000]);
            let _ = stream.write_all(text);
            while stream.write_all(&[b'x'; 4096]).is_ok() {}
        })
    };
    assert_eq!(endless(b"needle"), HEALTHY);
    assert_eq!(endless(b"noodle"), "body does not contain \"needle\" in its first 1 MiB");
}

#[test]
fn a_stream_of_events_is_healthy_as_soon_as_the_text_is_there() {
    let stream = |options: &[&str], timeout| {
        probe_peer(options, timeout, |mut stream| {
            stream.set_nodelay(true).expect("no delay");
            for part in [
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n",
                "Transfer-Encoding: chunked\r\n\r\n9\r\n: hello\n\n\r\n",
                "9\r\nda",
                "ta: 1\n\n\r\n",
            ] {
                stream.write_all(part.as_bytes()).expect("to answer");
            }
            until_closed(stream);
        })
    };
    assert_eq!(stream(&["--body", "data"], AMPLE), HEALTHY);
    // The whole is waited for where the whole decides.
    assert_eq!(stream(&[], LATER), "answer incomplete after 1 s");
    if cfg!(feature = "regex") {
        assert_eq!(stream(&["--body-regex", "data"], LATER), "answer incomplete after 1 s");
    }
}

#[test]
fn redirects_are_answers_and_are_not_followed_unless_asked() {
    // Nothing listens where this leads: to follow it would be to be refused.
    let head = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(probe_answer(&[], head), HEALTHY);
    assert_eq!(probe_answer(&["--follow-redirects"], head), HEALTHY);
    let status = ["--follow-redirects", "--status", "200-299"];
    assert_eq!(probe_answer(&status, head), "status 302, expected 200-299");
}

/// Answers requests one by one, each on a connection of its own; returns their first lines.
fn redirecting(answers: Vec<String>) -> (Peer, std::sync::mpsc::Receiver<String>) {
    let (asked, lines) = std::sync::mpsc::channel();
    let peer = Peer::listening(move |listener| {
        for answer in answers {
            let (mut stream, _) = listener.accept().expect("a connection");
            let request = answer_http(&mut stream, answer.as_bytes());
            asked.send(request.lines().next().unwrap_or_default().to_owned()).expect("to tell");
        }
    });
    (peer, lines)
}

fn to(status: u16, location: &str) -> String {
    format!("HTTP/1.1 {status} Elsewhere\r\nLocation: {location}\r\nContent-Length: 9999\r\n\r\n")
}

#[test]
fn redirects_on_the_same_host_are_followed_if_asked() {
    let last = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_owned();
    let (peer, lines) = redirecting(vec![to(307, "/a/b"), to(303, "../c?d"), to(308, "e"), last]);
    let url = format!("http://{}/", peer.address);
    let options = ["--http", &url, "--follow-redirects", "--method", "POST", "--body", "ok"];
    assert_eq!(reason(&options, AMPLE), HEALTHY);
    drop(peer);
    let lines: Vec<String> = lines.iter().collect();
    assert_eq!(lines, ["POST / HTTP/1.1", "POST /a/b HTTP/1.1", "GET /c?d HTTP/1.1", "GET /e HTTP/1.1"]);
}

/// Answers requests one by one; returns their first lines, and what else was sent.
fn posting(options: &[&str], answers: Vec<String>) -> Vec<String> {
    let (asked, requests) = std::sync::mpsc::channel();
    let peer = Peer::listening(move |listener| {
        for answer in answers {
            let (mut stream, _) = listener.accept().expect("a connection");
            let head = String::from_utf8(read_until(&mut stream, b"\r\n\r\n")).expect("ASCII");
            let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
            let mut body = vec![0; length.map_or(0, |length| length.parse().expect("a length"))];
            stream.read_exact(&mut body).expect("a body");
            let kind = head.lines().find(|line| line.to_ascii_lowercase().starts_with("content-type: "));
            let (line, body) = (head.lines().next().unwrap_or_default(), String::from_utf8_lossy(&body));
            asked.send(format!("{line} {} {body}", kind.unwrap_or("-"))).expect("to tell");
            stream.write_all(answer.as_bytes()).expect("to answer");
        }
    });
    let url = format!("http://{}/", peer.address);
    assert_eq!(reason(&[&["--http", &url, "--follow-redirects"], options].concat(), AMPLE), HEALTHY);
    drop(peer);
    requests.iter().collect()
}

#[test]
fn a_body_is_sent_and_follows_a_redirect_only_where_the_method_does() {
    const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let form = "Content-Type: application/x-www-form-urlencoded";
    let json = "Content-Type: application/json";
    for (options, status, expected) in [
        (
            &["--data", "a=1"][..],
            307,
            [format!("POST / HTTP/1.1 {form} a=1"), format!("POST /b HTTP/1.1 {form} a=1")],
        ),
        (
            &["--data", "a=1"],
            308,
            [format!("POST / HTTP/1.1 {form} a=1"), format!("POST /b HTTP/1.1 {form} a=1")],
        ),
        (&["--data", "a=1"], 301, [format!("POST / HTTP/1.1 {form} a=1"), "GET /b HTTP/1.1 - ".to_owned()]),
        (&["--data", "a=1"], 302, [format!("POST / HTTP/1.1 {form} a=1"), "GET /b HTTP/1.1 - ".to_owned()]),
        (&["--data", "a=1"], 303, [format!("POST / HTTP/1.1 {form} a=1"), "GET /b HTTP/1.1 - ".to_owned()]),
        (
            &["--data", "{}", "--header", json, "--method", "PUT"],
            302,
            [format!("PUT / HTTP/1.1 {json} {{}}"), format!("PUT /b HTTP/1.1 {json} {{}}")],
        ),
        (
            &["--data", "{}", "--header", json, "--method", "PUT"],
            303,
            [format!("PUT / HTTP/1.1 {json} {{}}"), format!("GET /b HTTP/1.1 {json} ")],
        ),
    ] {
        assert_eq!(posting(options, vec![to(status, "/b"), OK.to_owned()]), expected, "{options:?} {status}");
    }
}

#[test]
fn who_answers_before_it_has_read_the_body_has_answered() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), vec![b'x'; 64 << 10]).expect("written");
    let peer = Peer::new(|mut stream| {
        // To close with some of it unread is to reset.
        answer_http(&mut stream, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
    let (url, data) = (format!("http://{}/", peer.address), format!("@{}", file.path().display()));
    assert_eq!(reason(&["--http", &url, "--data", &data], AMPLE), HEALTHY);
}

#[test]
fn redirects_in_a_circle_are_followed_ten_times() {
    let (peer, lines) = redirecting(vec![to(302, "/"); 11]);
    let url = format!("http://{}/", peer.address);
    let options = ["--http", &url, "--follow-redirects"];
    assert_eq!(reason(&options, AMPLE), "status 302 again after 10 redirects");
    drop(peer);
    assert_eq!(lines.iter().count(), 11);
}

#[test]
fn the_deadline_covers_redirects() {
    let peer = Peer::listening(|listener| {
        let (mut first, _) = listener.accept().expect("a connection");
        answer_http(&mut first, to(302, "/slow").as_bytes());
        until_closed(listener.accept().expect("a connection").0);
    });
    let url = format!("http://{}/", peer.address);
    let options = ["--http", &url, "--follow-redirects"];
    assert_eq!(reason(&options, LATER), "no answer in 1 s after the request was sent");
}

#[test]
fn an_ordinary_probe_is_a_small_future() {
    let probes = probes(&["--http", "http://127.0.0.1:1/"]).expect("a probe");
    let size = size_of_val(&probes.run(&Deadline::after(AMPLE)));
    assert!(size < 1280, "{size} bytes are allocated for every probe");
}
