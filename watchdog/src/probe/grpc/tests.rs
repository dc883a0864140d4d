use std::net::TcpListener;
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use http::{HeaderMap, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::probe::testing::*;
use crate::words::outcome::{Cause, Outcome};

const HEALTHY: &str = "";
const SERVING: &[u8] = b"\0\0\0\0\x02\x08\x01";
const NOT_SERVING: &[u8] = b"\0\0\0\0\x02\x08\x02";

type Call = (Request<h2::RecvStream>, SendResponse<Bytes>);

/// Serves one call over `stream`, and then the connection until the probe closes it.
async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, mut answer: impl AsyncFnMut(Call)) {
    let mut connection = h2::server::handshake(stream).await.expect("a handshake");
    let call = connection.accept().await.expect("a call").expect("a call");
    let mut answered = std::pin::pin!(answer(call));
    let mut is_answered = false;
    std::future::poll_fn(|context| {
        if !is_answered && answered.as_mut().poll(context).is_ready() {
            is_answered = true;
        }
        connection.poll_closed(context).map(drop)
    })
    .await;
}

/// A peer that does this with the first connection.
fn peer(answer: impl AsyncFnMut(Call) + Send + 'static) -> Peer {
    Peer::new(move |stream| {
        runtime().block_on(async {
            stream.set_nonblocking(true).expect("not to block");
            serve(tokio::net::TcpStream::from_std(stream).expect("a connection"), answer).await;
        });
    })
}

fn tokio_listener(listener: TcpListener) -> tokio::net::TcpListener {
    listener.set_nonblocking(true).expect("not to block");
    tokio::net::TcpListener::from_std(listener).expect("a listener")
}

fn head() -> http::response::Builder {
    Response::builder().header("content-type", "application/grpc")
}

fn trailers(status: &str) -> HeaderMap {
    HeaderMap::from_iter([(http::HeaderName::from_static("grpc-status"), status.parse().expect("a value"))])
}

/// Answers with `frame` and a status in the trailers.
fn answering(frame: &'static [u8], status: &'static str) -> Peer {
    peer(async move |(_, mut call): Call| {
        let mut body = call.send_response(head().body(()).expect("a head"), false).expect("to answer");
        body.send_data(Bytes::from_static(frame), false).expect("to answer");
        body.send_trailers(trailers(status)).expect("to answer");
    })
}

/// Answers with nothing but `head`.
fn only(head: http::response::Builder) -> Peer {
    let head = head.body(()).expect("a head");
    peer(async move |(_, mut call): Call| {
        call.send_response(head.clone(), true).expect("to answer");
    })
}

fn probe(peer: &Peer, timeout: Duration) -> String {
    reason_with(peer, &["--grpc", &format!("{}/my.Service", peer.address)], timeout)
}

#[test]
fn a_service_that_says_serving_is_healthy_and_was_asked_for_by_name() {
    let peer = peer(async |(request, mut call): Call| {
        let (head, mut body) = request.into_parts();
        assert_eq!(head.method, "POST");
        assert_eq!(head.uri.path(), "/grpc.health.v1.Health/Check");
        assert_eq!(head.uri.scheme_str(), Some("http"));
        assert_eq!(head.headers["content-type"], "application/grpc");
        assert_eq!(head.headers["te"], "trailers");
        let message = body.data().await.expect("a message").expect("a message");
        assert_eq!(&message[..], b"\0\0\0\0\x0c\x0a\x0amy.Service");
        assert!(body.data().await.is_none());
        let mut body = call.send_response(head_ok(), false).expect("to answer");
        let (first, second) = SERVING.split_at(3);
        body.send_data(first.into(), false).expect("to answer");
        body.send_data(second.into(), false).expect("to answer");
        body.send_trailers(trailers("0")).expect("to answer");
    });
    assert_eq!(probe(&peer, AMPLE), HEALTHY);
}

#[test]
fn headers_are_sent_as_metadata() {
    let peer = peer(async |(request, mut call): Call| {
        let (head, _body) = request.into_parts();
        assert_eq!(head.uri.authority().map(http::uri::Authority::as_str), Some("example.org"));
        let sent = ["authorization", "x-a", "trace-bin", "user-agent", "content-type", "te"]
            .map(|name| head.headers[name].to_str().expect("text").to_owned());
        assert_eq!(sent, ["Bearer x", "1", "AAEC", "me", "application/grpc", "trailers"]);
        let mut body = call.send_response(head_ok(), false).expect("to answer");
        body.send_data(SERVING.into(), false).expect("to answer");
        body.send_trailers(trailers("0")).expect("to answer");
    });
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "Authorization: Bearer x\nHost: example.org\n").expect("written");
    let address = peer.address.to_string();
    let mut options = vec!["--grpc", &address, "--header-file", file.path().to_str().expect("text")];
    for header in ["X-A: 1", "Trace-Bin: AAEC", "User-Agent: me"] {
        options.extend(["--header", header]);
    }
    assert_eq!(reason_with(&peer, &options, AMPLE), HEALTHY);
}

fn head_ok() -> Response<()> {
    head().body(()).expect("a head")
}

#[test]
fn anything_else_is_unhealthy_with_the_reason() {
    assert_eq!(probe(&answering(NOT_SERVING, "0"), AMPLE), "NOT_SERVING");
    assert_eq!(probe(&answering(b"\0\0\0\0\0", "0"), AMPLE), "UNKNOWN");
    assert_eq!(probe(&answering(SERVING, "14"), AMPLE), "grpc-status 14 UNAVAILABLE");
    assert_eq!(probe(&answering(b"", "0"), AMPLE), "not a gRPC answer: it has no message");
    assert_eq!(
        probe(&answering(b"\x01\0\0\0\x02\x08\x01", "0"), AMPLE),
        "not a gRPC answer: its message is compressed, which was not asked for"
    );
    assert_eq!(
        probe(&answering(&[b'x'; 5000], "0"), AMPLE),
        "not a gRPC answer: its message is too long for a HealthCheckResponse"
    );
}

#[test]
fn an_answer_may_be_nothing_but_a_status() {
    let unknown = head().header("grpc-status", "5").header("grpc-message", "unknown%20service");
    assert_eq!(probe(&only(unknown), AMPLE), "grpc-status 5 NOT_FOUND: unknown service");
    let peer = only(head().header("grpc-status", "12"));
    let Outcome::Unhealthy(reason) = run(&["--grpc", &peer.address.to_string()], AMPLE) else {
        panic!("healthy")
    };
    let text = format!(
        "grpc {}: grpc-status 12 UNIMPLEMENTED; the service has no grpc.health.v1.Health",
        peer.address
    );
    assert_eq!((reason.to_string(), reason.cause()), (text, Cause::NotServing));
}

#[test]
fn another_answer_over_http2_is_unhealthy() {
    assert_eq!(probe(&only(head().status(502)), AMPLE), "status 502");
    let html = Response::builder().header("content-type", "text/html");
    assert_eq!(probe(&only(html), AMPLE), "not a gRPC answer: its content-type is text/html");
    assert_eq!(probe(&only(Response::builder()), AMPLE), "not a gRPC answer: it has no content-type");
    assert_eq!(probe(&only(head()), AMPLE), "not a gRPC answer: it has no grpc-status");
    let reset = peer(async |(_, mut call): Call| call.send_reset(h2::Reason::REFUSED_STREAM));
    assert!(probe(&reset, AMPLE).starts_with("call broken off: stream error received: refused stream"));
}

#[test]
fn a_peer_without_http2_is_unhealthy() {
    let peer = Peer::new(|mut stream| {
        let _ = std::io::Read::read(&mut stream, &mut [0; 1024]);
        let _ = std::io::Write::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n");
        until_closed(stream);
    });
    assert_eq!(
        probe(&peer, AMPLE),
        "not a gRPC answer: the service does not speak HTTP/2; does it speak HTTP/1?"
    );
    let peer = Peer::new(|stream| {
        stream.shutdown(std::net::Shutdown::Write).expect("to hang up");
        until_closed(stream);
    });
    assert_eq!(probe(&peer, AMPLE), "connection closed before an answer");
}

#[test]
fn a_silent_peer_costs_a_probe_its_deadline_and_no_more() {
    assert_eq!(probe(&Peer::new(until_closed), SHORT), "no answer in 50 ms after the request was sent");
    let mute = peer(async |_: Call| std::future::pending().await);
    assert_eq!(probe(&mute, SHORT), "no answer in 50 ms after the request was sent");
    let endless = peer(async |(_, mut call): Call| {
        let _body = call.send_response(head_ok(), false).expect("to answer");
        std::future::pending::<()>().await;
    });
    assert_eq!(probe(&endless, LATER), "answer incomplete after 1 s");
}

#[test]
fn a_port_without_a_listener_is_refused() {
    let (_reserved, port) = reserved_port();
    assert_eq!(reason(&["--grpc", &format!("127.0.0.1:{port}")], AMPLE), "connection refused");
}

#[test]
fn the_service_may_be_at_a_unix_socket() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("my.sock");
    let listener = std::os::unix::net::UnixListener::bind(&path).expect("a socket");
    let peer = std::thread::spawn(move || {
        runtime().block_on(async {
            listener.set_nonblocking(true).expect("not to block");
            let listener = tokio::net::UnixListener::from_std(listener).expect("a listener");
            let (stream, _) = listener.accept().await.expect("a connection");
            serve(stream, async |(request, mut call): Call| {
                assert_eq!(request.uri().authority().map(http::uri::Authority::as_str), Some("localhost"));
                let status = head().header("grpc-status", "0");
                call.send_response(status.body(()).expect("a head"), true).expect("to answer");
            })
            .await;
        });
    });
    let reason = reason(&["--grpc", &format!("unix:{}", path.display())], AMPLE);
    assert_eq!(reason, "not a gRPC answer: it has no message");
    peer.join().expect("the peer's part");
}

#[cfg(feature = "tls")]
#[test]
fn the_service_may_speak_tls() {
    use crate::probe::testing::authority::{Authority, VALID};

    let authority = Authority::new();
    for (protocols, name, options, expected) in [
        (&["h2"][..], "127.0.0.1", &[][..], HEALTHY),
        (&[], "127.0.0.1", &[], HEALTHY),
        (&["http/1.1"], "127.0.0.1", &[], "TLS: the service refuses: NoApplicationProtocol"),
        (&["h2"], "example.org", &[], "TLS: certificate is for example.org, not for 127.0.0.1"),
        (&["h2"], "example.org", &["--server-name", "example.org"], HEALTHY),
    ] {
        let mut config = authority.server(&[name], VALID);
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
        let peer = Peer::listening(move |listener| {
            runtime().block_on(async {
                let (stream, _) = tokio_listener(listener).accept().await.expect("a connection");
                let Ok(stream) = acceptor.accept(stream).await else { return };
                serve(stream, async |(request, mut call): Call| {
                    assert_eq!(request.uri().scheme_str(), Some("https"));
                    let mut body = call.send_response(head_ok(), false).expect("to answer");
                    body.send_data(SERVING.into(), false).expect("to answer");
                    body.send_trailers(trailers("0")).expect("to answer");
                })
                .await;
            });
        });
        let url = format!("https://{}", peer.address);
        let options = [&["--grpc", &url, "--ca-file", authority.path()], options].concat();
        assert_eq!(reason(&options, AMPLE), expected, "{protocols:?} {name}");
    }
}
