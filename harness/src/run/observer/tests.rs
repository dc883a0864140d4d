//! What a client takes a service for: scripted ones, at real sockets.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::UnixListener;

use super::*;
use crate::machine::Namespaces;
use crate::model::ask::Answer;
use crate::scenario::observe::{Bytes, Http};

/// Of a machine whose ports and files are those of the test.
fn client(observe: &Observe) -> Client {
    let network = Network::Namespace(Arc::new(Namespaces::of("/proc/self".as_ref()).expect("namespaces")));
    Client::new(observe, &network, |source| panic!("{source:?} is read")).expect("a client")
}

fn ask(observe: &Observe) -> Answer {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build().expect("a runtime");
    runtime.block_on(client(observe).ask()).expect("asked")
}

/// What the connection of a service that says `pieces` is like; what it was asked.
fn serve(mut client: impl Read + Write, asked: &str, pieces: &[&[u8]]) -> String {
    let (mut read, mut byte) = (Vec::new(), [0]);
    while !read.ends_with(asked.as_bytes()) {
        client.read_exact(&mut byte).expect("the question");
        read.extend(byte);
    }
    for piece in pieces {
        // The client may have heard enough.
        let _ = client.write_all(piece);
    }
    String::from_utf8_lossy(&read).into_owned()
}

/// What a service that reads up to `asked` and then says `pieces` is taken for, and what it was asked.
fn judged(observe: impl Fn(SocketAddr) -> Observe, asked: &str, pieces: &[&[u8]]) -> (Answer, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let observe = observe(listener.local_addr().expect("an address"));
    std::thread::scope(|scope| {
        let service = scope.spawn(|| serve(listener.accept().expect("a client").0, asked, pieces));
        (ask(&observe), service.join().expect("it serves"))
    })
}

fn tcp(service: SocketAddr) -> Observe {
    let bytes = Bytes { send: b"PING\r\n".into(), expect: b"+PONG".into() };
    Observe::often(Question::Bytes(Place::Port(vec![service]), bytes))
}

fn http(service: SocketAddr) -> Observe {
    Observe::http(&format!("http://{service}/x")).expect("a URL")
}

fn bad(reason: &str) -> Answer {
    Answer::Bad(reason.into())
}

#[test]
fn how_late_asks_were_is_the_most_since_it_was_asked_for_and_counts_what_is_overdue() {
    let lateness = Lateness::new(Usec(1000));
    lateness.asked(Usec(1300), Usec(2000));
    lateness.asked(Usec(2100), Usec(3000));
    assert_eq!(lateness.take(Usec(2500)), Duration::from_micros(300));
    assert_eq!(lateness.take(Usec(2900)), Duration::ZERO);
    assert_eq!(lateness.take(Usec(3700)), Duration::from_micros(700), "it hangs, and has asked nothing");
}

#[test]
fn an_answer_over_tcp_is_good_if_it_contains_what_is_expected() {
    let garbage = vec![b'x'; bytes::LONGEST_ANSWER + 1];
    for (pieces, expected) in [
        (&[&b"+PONG\r\n"[..]][..], Answer::Good),
        (&[b"hello\r\n+PO", b"NG"], Answer::Good),
        (&[b"-LOADING\r\n"], bad("answered \"-LOADING\\r\\n\"")),
        (&[], bad("closed without an answer")),
        (&[&garbage], bad(&format!("answered \"{}\"", "x".repeat(40)))),
    ] {
        assert_eq!(judged(tcp, "PING\r\n", pieces).0, expected);
    }
}

#[test]
fn an_answer_over_http_is_good_if_it_is_whole_and_its_status_is_below_400() {
    for (answer, expected) in [
        (&b"HTTP/1.1 204 No Content\r\n\r\n"[..], Answer::Good),
        (b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", Answer::Good),
        (b"HTTP/1.1 500 No\r\n\r\n", bad("status 500")),
        (b"HTTP/1.1 404 No\r\nContent-Length: 100\r\n\r\nno", bad("status 404")),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", bad("status 101")),
        (b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 503 No\r\n\r\n", bad("status 503")),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n", bad("closed, but status 103 only precedes an answer")),
        (b"HTTP/1.1 200", bad("closed, but its head is not whole: 12 bytes")),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
            bad("closed, but status 200, and 5 of 10 bytes"),
        ),
        (b"SSH-2.0-OpenSSH", bad("not an HTTP answer")),
        (b"", bad("closed without an answer")),
    ] {
        assert_eq!(judged(http, "\r\n\r\n", &[answer]).0, expected, "{}", answer.escape_ascii());
    }
}

/// Where the answer ends a client that waited for the connection's end would wait for ever: the service keeps it.
#[test]
fn an_answer_that_is_whole_is_taken_from_a_connection_that_is_kept() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let observe = http(listener.local_addr().expect("an address"));
        std::thread::scope(|scope| {
            let service = scope.spawn(|| {
                let (mut stream, _) = listener.accept().expect("a client");
                serve(&stream, "\r\n\r\n", &[answer.as_bytes()]);
                // Kept until the client is content.
                let _ = stream.read(&mut [0]);
            });
            assert_eq!(ask(&observe), Answer::Good, "{answer:?}");
            service.join().expect("it serves");
        });
    }
}

#[test]
fn who_waits_in_vain_says_what_has_come() {
    for (answer, expected) in [
        ("", "no answer in 200 ms"),
        ("HTTP/1.1 200 OK\r\n", "no whole answer in 200 ms: its head is not whole: 17 bytes"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx",
            "no whole answer in 200 ms: status 200, and 1 of 9 bytes",
        ),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let observe = http(listener.local_addr().expect("an address"));
        let observe = Observe { timeout: Duration::from_millis(200), ..observe };
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let (mut stream, _) = listener.accept().expect("a client");
                serve(&stream, "\r\n\r\n", &[answer.as_bytes()]);
                let _ = stream.read(&mut [0]);
            });
            assert_eq!(ask(&observe), bad(expected), "{answer:?}");
        });
    }
}

#[test]
fn what_is_asked_is_as_it_is_written() {
    let question = |change: fn(&mut Http)| {
        move |service: SocketAddr| {
            let Observe { question: Question::Http(_, mut http), .. } =
                Observe::http("http://localhost:8080/health?full=1#part").expect("a URL")
            else {
                panic!("it is HTTP")
            };
            change(&mut http);
            Observe::often(Question::Http(Place::Port(vec![service]), http))
        }
    };
    let good = [&b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"[..]];
    let asked = judged(question(|_| {}), "\r\n\r\n", &good).1;
    assert_eq!(asked, "GET /health?full=1 HTTP/1.1\r\nHost: localhost:8080\r\nConnection: close\r\n\r\n");
    let other = question(|http| {
        http.method = "POST".into();
        http.headers = vec![("host".into(), "shop".into()), ("X-A".into(), "b".into())];
    });
    let asked = judged(other, "\r\n\r\n", &good).1;
    assert_eq!(
        asked,
        "POST /health?full=1 HTTP/1.1\r\nConnection: close\r\nhost: shop\r\nX-A: b\r\nContent-Length: 0\r\n\r\n"
    );
}

#[test]
fn what_is_good_is_what_the_scenario_says() {
    let question = |service: SocketAddr| {
        let mut observe = http(service);
        if let Question::Http(_, http) = &mut observe.question {
            http.status = vec![200..=299, 418..=418];
            http.body = "up".into();
        }
        observe
    };
    for (answer, expected) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nis up.", Answer::Good),
        (
            "HTTP/1.1 418 Teapot\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nu\r\n1\r\np\r\n0\r\n\r\n",
            Answer::Good,
        ),
        ("HTTP/1.1 302 Found\r\nContent-Length: 2\r\n\r\nup", bad("status 302")),
        ("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndown", bad("status 200, without \"up\"")),
        ("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nup", bad("closed, but status 200, and 2 of 4 bytes")),
    ] {
        assert_eq!(judged(question, "\r\n\r\n", &[answer.as_bytes()]).0, expected, "{answer:?}");
    }
}

#[test]
fn a_socket_in_the_file_system_and_an_abstract_one_are_asked() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("x.sock");
    let name = format!("hangproof-test-{}", std::process::id());
    let abstract_name = std::os::unix::net::SocketAddr::from_abstract_name(&name).expect("a name");
    for (place, listener) in [
        (path.to_string_lossy().into_owned(), UnixListener::bind(&path).expect("a socket")),
        (format!("@{name}"), UnixListener::bind_addr(&abstract_name).expect("a socket")),
    ] {
        let bytes = Bytes { send: b"PING\r\n".into(), expect: b"+PONG".into() };
        let of_bytes = Observe::often(Question::Bytes(Place::Socket(place.clone()), bytes));
        let Question::Http(_, http) = Observe::http("http://localhost/x").expect("a URL").question else {
            panic!("it is HTTP")
        };
        let of_http = Observe::often(Question::Http(Place::Socket(place), http));
        let good = &b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"[..];
        for (observe, asked, answer) in [(of_bytes, "PING\r\n", &b"+PONG"[..]), (of_http, "\r\n\r\n", good)] {
            std::thread::scope(|scope| {
                scope.spawn(|| serve(listener.accept().expect("a client").0, asked, &[answer]));
                assert_eq!(ask(&observe), Answer::Good, "{observe}");
            });
        }
    }
    drop(std::fs::remove_file(&path));
    let bytes = Bytes { send: Vec::new(), expect: b"x".into() };
    let gone = Observe::often(Question::Bytes(Place::Socket(path.to_string_lossy().into_owned()), bytes));
    assert_eq!(ask(&gone), bad("there is no such socket"));
}

/// A client that does not block is told that a queue is full; any other waits.
#[test]
fn a_socket_whose_queue_is_full_is_waited_for() {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, listen, socket};
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("x.sock");
    let listener = socket(AddressFamily::UNIX, SocketType::STREAM, None).expect("a socket");
    bind(&listener, &SocketAddrUnix::new(&path).expect("an address")).expect("bound");
    listen(&listener, 0).expect("it listens");
    let first = std::os::unix::net::UnixStream::connect(&path).expect("one finds room");
    let listener = UnixListener::from(listener);
    let bytes = Bytes { send: Vec::new(), expect: b"x".into() };
    let observe = Observe::often(Question::Bytes(Place::Socket(path.to_string_lossy().into_owned()), bytes));
    let short = Observe { timeout: Duration::from_millis(50), ..observe.clone() };
    assert_eq!(ask(&short), bad("no answer in 50 ms"));
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| ask(&observe));
        drop(listener.accept().expect("the first"));
        let (mut second, _) = listener.accept().expect("the one that waited");
        second.write_all(b"x").expect("it listens");
        assert_eq!(asking.join().expect("it asks"), Answer::Good);
    });
    drop(first);
}

#[test]
fn what_is_asked_of_localhost_is_asked_at_the_address_that_takes_it() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let listener = TcpListener::bind(address).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let observe = Observe::http(&format!("http://localhost:{port}/")).expect("a URL");
        std::thread::scope(|scope| {
            let answer = &b"HTTP/1.1 204 No\r\n\r\n"[..];
            let service =
                scope.spawn(|| serve(listener.accept().expect("a client").0, "\r\n\r\n", &[answer]));
            assert_eq!(ask(&observe), Answer::Good, "{address}");
            assert!(service.join().expect("it serves").contains(&format!("Host: localhost:{port}\r\n")));
        });
        drop(listener);
        assert_eq!(ask(&observe), bad("connection refused"));
    }
}
