//! `--cert` and `--key`.

use std::fs;
use std::process::Command;
use std::sync::Arc;

use rustix::thread::CapabilitySet;
use rustls::ServerConfig;
use rustls::version::{TLS12, TLS13};
use tempfile::TempDir;

use super::super::client::{Client, Files};
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
        [&old, &old, &old, &old, &new, &new].map(|authority| authority.server_of_clients(false, &[&TLS13]));
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
    let log = tempfile::NamedTempFile::new().expect("a file");
    let _log = crate::words::log::tests::into(log.reopen().expect("a file"));
    let runtime = runtime();
    // Whether it is healthy, and what was said.
    let probe = || {
        let before = fs::read_to_string(log.path()).expect("a log").len();
        let outcome = runtime.block_on(probes.run(&Deadline::after(AMPLE)));
        (outcome == Outcome::Healthy, fs::read_to_string(log.path()).expect("a log").split_off(before))
    };
    let healthy = || (true, String::new());
    assert_eq!(probe(), healthy());
    written(&directory, "cert.pem", &certificate);
    assert_eq!(probe(), healthy(), "no pair yet: the old one holds");
    fs::remove_file(&key_file).expect("to remove");
    assert_eq!(probe(), healthy(), "no key: the old one holds");
    let (is_healthy, said) = probe();
    assert!(is_healthy, "still no key");
    let expected =
        format!("services are shown the certificate that was read before: --key {key_file} cannot be read: ");
    assert!(said.contains(&expected), "{said}");
    written(&directory, "key.pem", &key);
    assert_eq!(probe(), healthy(), "the new pair");
    fs::remove_file(&cert).expect("to remove");
    assert_eq!(probe(), healthy(), "the new pair, which was read");
}

#[test]
fn a_certificate_that_cannot_be_renewed_is_said_once() {
    let (authority, directory) = (Authority::new(), TempDir::new().expect("a directory"));
    let (certificate, key) = authority.client();
    let both = written(&directory, "both.pem", &format!("{certificate}{key}"));
    let log = tempfile::NamedTempFile::new().expect("a file");
    let _log = crate::words::log::tests::into(log.reopen().expect("a file"));
    let files = Files { certificate: both.clone().into(), key: None };
    let client = Client::new(files, Arc::new(provider())).expect("a client");
    let said = || {
        let before = fs::read_to_string(log.path()).expect("a log").len();
        client.current();
        fs::read_to_string(log.path()).expect("a log").split_off(before)
    };
    assert_eq!(said(), "");
    written(&directory, "both.pem", &certificate);
    assert_eq!(said(), "", "it is maybe being written");
    assert!(said().contains("read before: there is no key in --cert /"));
    assert_eq!(said(), "", "it was said");
    written(&directory, "both.pem", "");
    assert_eq!(said(), "", "it is maybe being written");
    assert!(said().contains("read before: there is no certificate in --cert /"));
    written(&directory, "both.pem", &format!("{certificate}{key}"));
    assert_eq!(said(), "", "renewed");
}

#[test]
fn a_key_that_everybody_can_read_is_said_and_taken() {
    use std::os::unix::fs::PermissionsExt;
    let directory = TempDir::new().expect("a directory");
    let (certificate, key) = Authority::new().client();
    let cert = written(&directory, "cert.pem", &certificate);
    let key = written(&directory, "key.pem", &key);
    for (mode, expected) in [
        (0o600, None),
        (0o640, None),
        (0o644, Some(format!("everybody on this machine can read the key in --key {key}: chmod o= {key}"))),
    ] {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).expect("to set");
        let log = tempfile::NamedTempFile::new().expect("a file");
        let _log = crate::words::log::tests::into(log.reopen().expect("a file"));
        probes(&["--http", "https://127.0.0.1/", "--insecure", "--cert", &cert, "--key", &key])
            .expect("a probe");
        let said = fs::read_to_string(log.path()).expect("a log");
        match expected {
            Some(expected) => assert!(said.contains(&expected), "{mode:o}: {said}"),
            None => assert_eq!(said, "", "{mode:o}"),
        }
    }
}

#[test]
fn a_key_that_we_may_not_read_is_refused_with_a_remedy() {
    use std::os::unix::fs::PermissionsExt;
    let directory = TempDir::new().expect("a directory");
    let (certificate, key) = Authority::new().client();
    let cert = written(&directory, "cert.pem", &certificate);
    let key = written(&directory, "key.pem", &key);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o000)).expect("to set");
    // As it is for other users: root may read everything by these. They are this thread's.
    let mut sets = rustix::thread::capabilities(None).expect("capabilities");
    let all = CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH;
    sets.effective.remove(all);
    rustix::thread::set_capabilities(None, sets).expect("to give up capabilities");
    let error =
        probes(&["--http", "https://127.0.0.1/", "--insecure", "--cert", &cert, "--key", &key]).map(drop);
    let error = error.expect_err("no probe").to_string();
    let expected = format!("--key {key} cannot be read: Permission denied (os error 13); give a PEM file");
    assert!(error.contains(&expected), "{error}");
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
        (
            no_key(
                "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n\
                -----END EC PRIVATE KEY-----\n",
            ),
            "is encrypted",
        ),
        (refusal(&["--cert", &cert, "--key", "/"]), "--key / cannot be read: it is no regular file"),
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
