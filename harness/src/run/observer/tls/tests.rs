//! Whom a client trusts.

use std::io::{Read, Write};
use std::net::TcpListener;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::*;
use crate::machine::{Namespaces, Network};
use crate::model::ask::Answer;
use crate::run::observer::Client;
use crate::scenario::observe::{Http, Observe, Place, Question};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority")
}

/// That of a service with such a name.
fn server(authority: &Authority, name: &str) -> Arc<ServerConfig> {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
    let certificate = params.signed_by(&key, authority).expect("a certificate");
    let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key);
    Arc::new(config.expect("a server"))
}

/// What a client of `https://HOST/` that trusts so takes the service for, and by which name it asked.
fn judged(service: Arc<ServerConfig>, host: &str, trust: Trust, ca: &str) -> (Answer, Option<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let Observe { question: Question::Http(_, http), .. } =
        Observe::http("https://localhost/").expect("a URL")
    else {
        panic!("it is HTTP")
    };
    let http = Http { tls: Some(trust), host: host.into(), ..*http };
    let observe = Observe::often(Question::Http(Place::Port(vec![address]), Box::new(http)));
    let network = Network::Namespace(Arc::new(Namespaces::of("/proc/self".as_ref()).expect("namespaces")));
    let client = Client::new(&observe, &network, |_| Ok(ca.as_bytes().to_vec())).expect("a client");
    std::thread::scope(|scope| {
        let serving = scope.spawn(move || {
            let (stream, _) = listener.accept().expect("a client");
            let mut stream = StreamOwned::new(ServerConnection::new(service).expect("a connection"), stream);
            let mut question = [0; 1024];
            if stream.read(&mut question).is_ok() {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            }
            stream.conn.server_name().map(ToOwned::to_owned)
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .expect("a runtime");
        let answer = runtime.block_on(client.ask()).expect("asked");
        (answer, serving.join().expect("it serves"))
    })
}

#[test]
fn a_certificate_is_checked_against_whom_the_scenario_trusts_and_the_name_that_is_asked() {
    let (ours, other) = (authority(), authority());
    let remedy = "([observe] has ca = \"FILE\", and insecure = true)";
    let file = || Trust::File(Source::file("ca.pem".as_ref()));
    for (service, host, trust, expected) in [
        (server(&ours, "shop.example"), "shop.example", file(), None),
        (server(&ours, "127.0.0.1"), "127.0.0.1", file(), None),
        (server(&other, "shop.example"), "shop.example", file(), Some(remedy)),
        (server(&ours, "shop.example"), "other.example", file(), Some(remedy)),
        (server(&ours, "shop.example"), "shop.example", Trust::Host, Some(remedy)),
        (server(&other, "shop.example"), "other.example", Trust::Anybody, None),
    ] {
        let what = format!("{host}, {trust:?}");
        // Where the host trusts nobody there is nothing to be seen.
        if trust == Trust::Host && rustls_native_certs::load_native_certs().certs.is_empty() {
            continue;
        }
        let (answer, name) = judged(service, host, trust, &ours.pem());
        match (expected, answer) {
            (None, answer) => {
                assert_eq!(answer, Answer::Good, "{what}");
                // An address is no name (RFC 6066, 3).
                assert_eq!(name.as_deref(), Some(host).filter(|host| *host != "127.0.0.1"), "{what}");
            }
            (Some(expected), Answer::Bad(said)) => assert!(said.contains(expected), "{what}: {said:?}"),
            (Some(_), Answer::Good) => panic!("{what} is taken"),
        }
    }
}

#[test]
fn who_speaks_no_tls_is_told_so() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let tls = Tls::new(&Trust::Anybody, "localhost", |_| Ok(Vec::new())).expect("a client");
    for (said, expected) in
        [(&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "no TLS: "), (b"", "closed within the TLS")]
    {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let (mut stream, _) = listener.accept().expect("a client");
                let _ = stream.read(&mut [0; 1024]);
                let _ = stream.write_all(said);
            });
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
            let error = runtime.block_on(async {
                let stream = tokio::net::TcpStream::connect(address).await.expect("it listens");
                tls.handshake(stream).await.map(drop).expect_err("it speaks no TLS")
            });
            assert!(error.to_string().starts_with(expected), "{error}");
        });
    }
}

#[test]
fn a_file_without_certificates_is_a_mistake_of_the_scenario() {
    let pem = authority().pem();
    for (text, expected) in [
        ("", Some("ca.pem has no certificate in PEM")),
        ("-----BEGIN CERTIFICATE-----\n", Some("ca.pem is no certificate in PEM: ")),
        (pem.as_str(), None),
    ] {
        let read = Tls::new(&Trust::File(Source::file("ca.pem".as_ref())), "localhost", |_| Ok(text.into()));
        let said = read.err().map(|error| error.to_string());
        assert!(
            said.as_deref().unwrap_or_default().starts_with(expected.unwrap_or_default()),
            "{text:?}: {said:?}"
        );
        assert_eq!(said.is_some(), expected.is_some(), "{text:?}");
    }
}
