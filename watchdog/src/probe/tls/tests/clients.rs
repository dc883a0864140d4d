//! `--cert` and `--key`.

use std::fs;
use std::process::Command;

use rustls::ServerConfig;
use rustls::version::{TLS12, TLS13};
use tempfile::TempDir;

use super::super::client::Files;
use super::super::{TlsError, provider};
use super::issuing::{Issuing, P256, RSA};
use super::{HEALTHY, OK, probe};
use crate::probe::Deadline;
use crate::probe::testing::authority::*;
use crate::probe::testing::*;
use crate::words::outcome::Outcome;

/// A file of this text, by the name it is given with.
fn written(directory: &TempDir, name: &str, text: &str) -> String {
    let path = directory.path().join(name);
    fs::write(&path, text).expect("to write");
    path.to_str().expect("UTF-8").to_owned()
}

/// The reason of a probe whose client is refused. The peer stays until it has said why: a reset could overtake that.
fn refused(option: &str, config: ServerConfig, options: &[&str]) -> String {
    let peer = Peer::new(move |stream| {
        let mut stream = accept(config, stream);
        std::io::Read::read(&mut stream, &mut [0; 1024]).expect_err("a refusal");
        until_closed(stream.sock);
    });
    let url = format!("https://{}/", peer.address);
    reason_with(&peer, &[&[option, url.trim_end_matches('/')][..], options].concat(), AMPLE)
}

#[test]
fn a_service_that_wants_to_know_its_clients_knows_this_one() {
    let (authority, directory) = (Authority::new(), TempDir::new().expect("a directory"));
    let (certificate, key) = authority.client();
    let both = written(&directory, "both.pem", &format!("{key}{certificate}"));
    let cert = written(&directory, "cert.pem", &certificate);
    let key = written(&directory, "key.pem", &key);
    for version in [&TLS12, &TLS13] {
        for given in [&["--cert", &both][..], &["--cert", &cert, "--key", &key]] {
            let options = [&["--ca-file", authority.path()], given].concat();
            let config = authority.server_of_clients(false, &[version]);
            assert_eq!(probe("127.0.0.1", config, &options), HEALTHY, "{version:?}");
        }
    }
}

#[test]
fn a_service_that_gets_no_certificate_is_unhealthy_with_the_option() {
    let authority = Authority::new();
    for version in [&TLS12, &TLS13] {
        let config = authority.server_of_clients(false, &[version]);
        let reason = probe("127.0.0.1", config, &["--ca-file", authority.path()]);
        let expected =
            "TLS: the service refuses clients without a certificate; give one with --cert and --key";
        assert_eq!(reason, expected, "{version:?}");
        let config = authority.server_of_clients(true, &[version]);
        let down = |stream| {
            answer_http(
                &mut accept(config, stream),
                b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
            );
        };
        let peer = Peer::new(down);
        let options = ["--http", &format!("https://{}/", peer.address), "--ca-file", authority.path()];
        let expected =
            "status 400; the service asked for a certificate of its clients: --cert and --key give one";
        assert_eq!(reason_with(&peer, &options, AMPLE), expected, "{version:?}");
    }
}

#[cfg(feature = "grpc")]
#[test]
fn the_same_is_said_of_grpc() {
    let authority = Authority::new();
    let config = authority.server_of_clients(false, &[&TLS13]);
    let reason = refused("--grpc", config, &["--ca-file", authority.path()]);
    assert_eq!(
        reason,
        "TLS: the service refuses clients without a certificate; give one with --cert and --key"
    );
}

#[test]
fn whom_we_distrust_is_not_said_to_distrust_us() {
    let (authority, other) = (Authority::new(), Authority::new());
    let config = authority.server_of_clients(false, &[&TLS13]);
    let reason = probe("127.0.0.1", config, &["--ca-file", other.path()]);
    assert!(reason.starts_with("TLS: unknown issuer"), "{reason}");
}

#[test]
fn a_certificate_that_the_service_refuses_is_unhealthy_with_the_reason() {
    let (authority, other) = (Authority::new(), Authority::new());
    let directory = TempDir::new().expect("a directory");
    let (certificate, key) = other.client();
    let both = written(&directory, "both.pem", &format!("{certificate}{key}"));
    for version in [&TLS12, &TLS13] {
        let config = authority.server_of_clients(false, &[version]);
        let reason = refused("--http", config, &["--ca-file", authority.path(), "--cert", &both]);
        let expected = "TLS: the service refuses the certificate of --cert: it does not know the issuer; issue it by one that \
            the service trusts";
        assert_eq!(reason, expected, "{version:?}");
    }
}

#[test]
fn a_certificate_is_read_again_when_it_was_renewed_and_not_while_it_is() {
    let [old, new] = [Authority::new(), Authority::new()];
    let directory = TempDir::new().expect("a directory");
    let ((old_certificate, old_key), (certificate, key)) = (old.client(), new.client());
    let cert = written(&directory, "cert.pem", &old_certificate);
    let key_file = written(&directory, "key.pem", &old_key);
    let configs =
        [&old, &old, &old, &new, &new].map(|authority| authority.server_of_clients(false, &[&TLS13]));
    let peer = Peer::listening(move |listener| {
        for config in configs {
            let mut stream = accept(config, listener.accept().expect("a connection").0);
            let mut request = [0; 1024];
            if std::io::Read::read(&mut stream, &mut request).is_ok() {
                let _ = std::io::Write::write_all(&mut stream, OK);
            }
        }
    });
    let url = format!("https://{}/", peer.address);
    let probes =
        probes(&["--http", &url, "--insecure", "--cert", &cert, "--key", &key_file]).expect("a probe");
    let runtime = runtime();
    let probe = || runtime.block_on(probes.run(&Deadline::after(AMPLE)));
    assert_eq!(probe(), Outcome::Healthy);
    written(&directory, "cert.pem", &certificate);
    assert_eq!(probe(), Outcome::Healthy, "no pair yet: the old one holds");
    fs::remove_file(&key_file).expect("to remove");
    assert_eq!(probe(), Outcome::Healthy, "no key: the old one holds");
    written(&directory, "key.pem", &key);
    assert_eq!(probe(), Outcome::Healthy, "the new pair");
    fs::remove_file(&cert).expect("to remove");
    assert_eq!(probe(), Outcome::Healthy, "the new pair, which was read");
}

#[test]
fn what_is_no_certificate_with_its_key_is_refused_with_a_remedy() {
    let (authority, directory) = (Authority::new(), TempDir::new().expect("a directory"));
    let ((certificate, key), (_, another)) = (authority.client(), authority.client());
    let cert = written(&directory, "cert.pem", &certificate);
    let refusal = |options: &[&str]| {
        let options = [&["--http", "https://127.0.0.1/", "--insecure"], options].concat();
        probes(&options).map(drop).expect_err("no probe").to_string()
    };
    let no_key = |key: &str| {
        let file = written(&directory, "key.pem", key);
        refusal(&["--cert", &cert, "--key", &file])
    };
    for (error, expected) in [
        (refusal(&["--cert", "/no/such"]), "--cert /no/such cannot be read: No such file"),
        (refusal(&["--cert", &cert, "--key", "/no/such"]), "--key /no/such cannot be read: No such file"),
        (refusal(&["--cert", &written(&directory, "x", &key)]), "there is no certificate in --cert /"),
        (refusal(&["--cert", &cert]), "there is no key in --cert /"),
        (no_key("nothing"), "there is no key in --key /"),
        (no_key("-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----\n"), "is broken: "),
        (
            no_key("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
            "is none that sd-watchdog can sign",
        ),
        (
            no_key("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"),
            "is encrypted",
        ),
        (no_key(&another), "is not that of the certificate in /"),
    ] {
        assert!(error.contains(expected), "{expected}: {error}");
        assert!(!error.contains("AAAA"), "{error}");
    }
}

#[test]
fn keys_are_read_in_every_form_that_openssl_writes() {
    if !Issuing::is_possible() {
        eprintln!("skipped: there is no openssl");
        return;
    }
    let (issuing, directory) = (Issuing::new(), TempDir::new().expect("a directory"));
    let certificate = written(&directory, "cert.pem", &Authority::new().client().0);
    for (kind, first) in [(RSA, "-----BEGIN RSA PRIVATE KEY-----"), (P256, "-----BEGIN EC PRIVATE KEY-----")]
    {
        let modern = issuing.key(kind, "client").file;
        let traditional = directory.path().join(kind.name);
        let written = Command::new("openssl")
            .args(["pkey", "-traditional", "-in"])
            .arg(&modern)
            .arg("-out")
            .arg(&traditional)
            .status();
        assert!(written.expect("openssl").success());
        assert!(fs::read_to_string(&traditional).expect("a key").starts_with(first));
        for file in [modern, traditional] {
            let files = Files { certificate: certificate.clone().into(), key: Some(file) };
            // It was read: it is another's.
            assert!(matches!(files.read(&provider()), Err(TlsError::NoPair { .. })), "{files:?}");
        }
    }
}
