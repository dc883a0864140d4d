mod against_curl;
mod clients;
pub mod issuing;
mod schemes;

use std::io::Write;

use crate::probe::Deadline;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose};
use rustls::ServerConfig;

use crate::probe::testing::authority::*;
use crate::probe::testing::*;
use crate::words::outcome::{Cause, Outcome};

const HEALTHY: &str = "";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Probes a server whose handshake may fail. `host` is what it is called in the URL.
fn probe(host: &str, config: ServerConfig, options: &[&str]) -> String {
    let peer = Peer::new(move |stream| {
        let mut stream = accept(config, stream);
        let mut request = [0; 1024];
        if std::io::Read::read(&mut stream, &mut request).is_ok() {
            let _ = stream.write_all(OK);
        }
    });
    let url = format!("https://{host}:{}/", peer.address.port());
    reason(&[&["--http", &url], options].concat(), AMPLE)
}

#[test]
fn a_certificate_that_the_file_vouches_for_is_trusted() {
    let authority = Authority::new();
    let trust = ["--ca-file", authority.path()];
    assert_eq!(probe("127.0.0.1", authority.server(&["127.0.0.1"], VALID), &trust), HEALTHY);
    assert_eq!(probe("localhost", authority.server(&["localhost"], VALID), &trust), HEALTHY);
}

#[test]
fn an_authority_that_changes_fails_probes_only_until_the_file_has_the_new_one() {
    let (old, new) = (Authority::new(), Authority::new());
    let configs = [&old, &new, &new, &new, &new].map(|authority| authority.server(&["127.0.0.1"], VALID));
    let peer = Peer::listening(move |listener| {
        for config in configs {
            let mut stream = accept(config, listener.accept().expect("a connection").0);
            let mut request = [0; 1024];
            if std::io::Read::read(&mut stream, &mut request).is_ok() {
                let _ = stream.write_all(OK);
            }
        }
    });
    let (url, file) = (format!("https://{}/", peer.address), old.path());
    let probes = probes(&["--http", &url, "--ca-file", file]).expect("options");
    let runtime = runtime();
    let probe = || runtime.block_on(probes.run(&Deadline::after(AMPLE)));
    let is_unknown = |outcome: &Outcome, how| format!("{outcome:?}").contains(how);
    assert_eq!(probe(), Outcome::Healthy);
    let again = "unknown issuer, also after what is trusted was read again";
    assert!(is_unknown(&probe(), again), "the file has the old one");
    std::fs::write(file, "half a file").expect("to write");
    let before = "unknown issuer, as of what was trusted before; there is no certificate in --ca-file /";
    assert!(is_unknown(&probe(), before), "what was read before holds while the file is broken");
    std::fs::copy(new.path(), file).expect("to write");
    assert_eq!(probe(), Outcome::Healthy);
    std::fs::remove_file(file).expect("to remove");
    assert_eq!(probe(), Outcome::Healthy, "it is not read without need");
}

#[test]
fn a_ca_file_without_an_end_or_that_is_no_file_is_refused_at_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, at("fifo"), rustix::fs::FileType::Fifo, mode, 0).expect("a FIFO");
    let large = std::fs::File::create(at("large")).expect("a file");
    large.set_len(super::file::LARGEST + 1).expect("a hole");
    for (name, problem) in [
        ("fifo", "it is no regular file"),
        ("", "it is no regular file"),
        ("large", "it is larger than 8 MiB"),
    ] {
        let path = at(name).display().to_string();
        let error =
            probes(&["--http", "https://127.0.0.1/", "--ca-file", &path]).expect_err(name).to_string();
        let expected =
            format!("--ca-file {path} cannot be read: {problem}; give a PEM file that sd-watchdog may read");
        assert!(error.contains(&expected), "{error}");
    }
}

#[test]
fn the_body_is_judged_over_tls_too() {
    let authority = Authority::new();
    let trust = ["--ca-file", authority.path(), "--body", "down"];
    let reason = probe("127.0.0.1", authority.server(&["127.0.0.1"], VALID), &trust);
    assert_eq!(reason, "body does not contain \"down\" (\"ok\")");
}

#[test]
fn a_certificate_that_is_its_own_authority_is_trusted_where_it_is_given() {
    let (config, file) = its_own_authority(&["127.0.0.1"]);
    let trust = ["--ca-file", file.path().to_str().expect("UTF-8")];
    assert_eq!(probe("127.0.0.1", config, &trust), HEALTHY);
    let (config, file) = its_own_authority(&["example.org"]);
    let trust = ["--ca-file", file.path().to_str().expect("UTF-8")];
    let reason = probe("127.0.0.1", config, &trust);
    assert_eq!(reason, "TLS: certificate is for example.org, not for 127.0.0.1");
    let (config, _) = its_own_authority(&["127.0.0.1"]);
    assert_eq!(
        probe("127.0.0.1", config, &trust),
        "TLS: the certificate is one of an authority, not of a server; to trust just this one give it with --ca-file"
    );
}

#[test]
fn a_certificate_that_is_trusted_itself_vouches_for_others_only_where_it_may() {
    let year = |year| rcgen::date_time_ymd(year, 1, 1);
    let said = |change: &dyn Fn(&mut CertificateParams)| {
        let authority = Authority::with(change);
        probe("127.0.0.1", authority.server(&["127.0.0.1"], VALID), &["--ca-file", authority.path()])
    };
    let trusted = "TLS: the certificate of its issuer is trusted, but ";
    let no_authority = "is none of an authority (basicConstraints, keyUsage); give its own with --ca-file, or one of an authority";
    assert_eq!(said(&|_| {}), HEALTHY);
    assert_eq!(said(&|params| params.is_ca = IsCa::ExplicitNoCa), [trusted, no_authority].concat());
    assert_eq!(said(&|params| params.is_ca = IsCa::NoCa), [trusted, no_authority].concat());
    assert_eq!(
        said(&|params| params.key_usages = vec![KeyUsagePurpose::DigitalSignature]),
        [trusted, no_authority].concat()
    );
    assert_eq!(
        said(&|params| params.not_after = year(2021)),
        [trusted, "has expired; give the new one with --ca-file"].concat()
    );
    assert_eq!(said(&|params| params.not_before = year(2190)), [trusted, "is not valid yet"].concat());
    assert_eq!(
        said(&|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]),
        [trusted, "is none for servers (extended key usage)"].concat()
    );
}

#[test]
fn an_authority_that_has_expired_fails_probes_only_until_the_file_has_its_new_certificate() {
    let expired = |params: &mut CertificateParams| params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    let authority = Authority::with(expired);
    let configs = [(); 2].map(|()| authority.server(&["127.0.0.1"], VALID));
    let peer = Peer::listening(move |listener| {
        for config in configs {
            let mut stream = accept(config, listener.accept().expect("a connection").0);
            let mut request = [0; 1024];
            if std::io::Read::read(&mut stream, &mut request).is_ok() {
                let _ = stream.write_all(OK);
            }
        }
    });
    let url = format!("https://{}/", peer.address);
    let probes = probes(&["--http", &url, "--ca-file", authority.path()]).expect("options");
    let runtime = runtime();
    let probe = || runtime.block_on(probes.run(&Deadline::after(AMPLE)));
    let before = format!("{:?}", probe());
    authority.renew(|_| {});
    assert_eq!(probe(), Outcome::Healthy);
    assert!(before.contains("has expired; give the new one"), "{before}");
}

#[test]
fn a_server_that_is_trusted_itself_is_still_to_be_one() {
    for is_ca in [IsCa::ExplicitNoCa, IsCa::Ca(BasicConstraints::Unconstrained)] {
        let (config, file) = vouching_for_itself(&["127.0.0.1"], |params| {
            params.is_ca = is_ca;
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        });
        let trust = ["--ca-file", file.path().to_str().expect("UTF-8")];
        let reason = probe("127.0.0.1", config, &trust);
        assert_eq!(reason, "TLS: its certificate is not for servers (extended key usage)");
    }
    let (config, file) = vouching_for_itself(&["127.0.0.1"], |params| params.is_ca = IsCa::ExplicitNoCa);
    assert_eq!(probe("127.0.0.1", config, &["--ca-file", file.path().to_str().expect("UTF-8")]), HEALTHY);
}

#[test]
fn a_certificate_that_does_not_hold_is_unhealthy_with_the_reason() {
    let authority = Authority::new();
    let trust = ["--ca-file", authority.path()];
    for (names, years, expected) in [
        (&["127.0.0.1"][..], (2020, 2021), "TLS: certificate has expired"),
        (&["127.0.0.1"], (2190, 2200), "TLS: certificate is not valid yet"),
        (&["example.org"], VALID, "TLS: certificate is for example.org, not for 127.0.0.1"),
        (
            &["a.org", "127.0.0.2", "b.org", "c.org"],
            VALID,
            "TLS: certificate is for a.org, 127.0.0.2, b.org, …, not for 127.0.0.1",
        ),
    ] {
        assert_eq!(probe("127.0.0.1", authority.server(names, years), &trust), expected);
    }
    let other = Authority::new();
    let reason = probe("127.0.0.1", other.server(&["127.0.0.1"], VALID), &trust);
    assert_eq!(
        reason,
        "TLS: unknown issuer, also after what is trusted was read again; give it with --ca-file"
    );
}

#[test]
fn a_service_is_spoken_to_by_the_name_that_is_given() {
    let authority = Authority::new();
    let config = authority.server(&["example.org"], VALID);
    let peer = Peer::listening(move |listener| {
        for expected in [Some("example.org"), None] {
            let mut stream = accept(config.clone(), listener.accept().expect("a connection").0);
            let request = answer_http(&mut stream, OK);
            assert!(request.contains("\r\nHost: 127.0.0.1:"), "{request}");
            assert_eq!(stream.conn.server_name(), expected);
        }
    });
    let url = format!("https://{}/", peer.address);
    let options = ["--http", &url, "--ca-file", authority.path(), "--server-name", "example.org"];
    assert_eq!(reason(&options, AMPLE), HEALTHY);
    assert_eq!(reason(&["--http", &url, "--insecure"], AMPLE), HEALTHY);
}

/// The reason where a service answers the greeting with this fatal alert (RFC 8446, section 6).
fn alerted(number: u8, options: &[&str]) -> String {
    let peer = Peer::new(move |mut stream| {
        let _ = std::io::Read::read(&mut stream, &mut [0; 4096]);
        let _ = stream.write_all(&[21, 3, 3, 0, 2, 2, number]);
        until_closed(stream);
    });
    let url = format!("https://{}/", peer.address);
    reason(&[&["--http", &url, "--insecure"], options].concat(), AMPLE)
}

#[test]
fn a_service_that_refuses_is_unhealthy_with_what_helps() {
    let (certificate, key) = Authority::new().client();
    let both = pem_file(&format!("{certificate}{key}"));
    let supported = "supported are RSA with 2048 to 8192 bits (RSA-PSS with a salt as long as the hash), ECDSA on P-256, \
        P-384 and P-521, with SHA-256, -384 and -512, and Ed25519";
    let nothing = format!(
        "the service has nothing in common with this probe, be it the kind of its key, the cipher or the group; {supported}, \
        over TLS 1.2 and 1.3"
    );
    for (alert, expected) in [
        (40, nothing.as_str()),
        (70, "the service wants another version; supported are TLS 1.2 and 1.3"),
        (112, "the service goes by another name; give that with --server-name"),
        (80, "the service refuses: InternalError"),
        // Of certificates, which it has not asked for.
        (42, "the service refuses: BadCertificate"),
        (48, "the service refuses: UnknownCA"),
        (51, "the service refuses: DecryptError"),
        (116, "the service refuses: CertificateRequired"),
    ] {
        assert_eq!(alerted(alert, &[]), format!("TLS: {expected}"));
        assert_eq!(
            alerted(alert, &["--cert", both.path().to_str().expect("UTF-8")]),
            format!("TLS: {expected}")
        );
    }
}

#[test]
fn the_name_that_is_wanted_is_said_of_redirects_and_grpc_too() {
    let expected = "TLS: the service goes by another name; give that with --server-name";
    let unrecognized = |mut stream: std::net::TcpStream| {
        let _ = std::io::Read::read(&mut stream, &mut [0; 4096]);
        let _ = stream.write_all(&[21, 3, 3, 0, 2, 2, 112]);
        until_closed(stream);
    };
    let config = Authority::new().server(&["127.0.0.1"], VALID);
    let peer = Peer::listening(move |listener| {
        let mut stream = accept(config, listener.accept().expect("a connection").0);
        answer_http(&mut stream, b"HTTP/1.1 302 Found\r\nLocation: /a\r\nContent-Length: 0\r\n\r\n");
        unrecognized(listener.accept().expect("a connection").0);
    });
    let url = format!("https://{}/", peer.address);
    assert_eq!(reason(&["--http", &url, "--insecure", "--follow-redirects"], AMPLE), expected);
    #[cfg(feature = "grpc")]
    {
        let peer = Peer::new(unrecognized);
        let address = format!("https://{}", peer.address);
        assert_eq!(reason(&["--grpc", &address, "--insecure"], AMPLE), expected);
    }
}

#[test]
fn insecure_takes_any_certificate() {
    let authority = Authority::new();
    for config in [authority.server(&["example.org"], (2020, 2021)), its_own_authority(&["example.org"]).0] {
        assert_eq!(probe("127.0.0.1", config, &["--insecure"]), HEALTHY);
    }
}

#[test]
fn a_service_without_the_key_of_its_certificate_is_unhealthy_whoever_is_trusted() {
    let authority = Authority::new();
    for trust in [&["--insecure"][..], &["--ca-file", authority.path()]] {
        let config = authority.server_without_key(&["127.0.0.1"]);
        let reason = probe("127.0.0.1", config, trust);
        assert_eq!(reason, "TLS: the service does not hold the key of its certificate");
    }
}

#[test]
fn the_system_does_not_trust_a_certificate_of_the_tests() {
    if let Err(error) = probes(&["--http", "https://127.0.0.1/"]) {
        assert!(error.to_string().contains("install ca-certificates, or give --ca-file"), "{error}");
        eprintln!("skipped: {error}");
        return;
    }
    let authority = Authority::new();
    let reason = probe("127.0.0.1", authority.server(&["127.0.0.1"], VALID), &[]);
    assert_eq!(
        reason,
        "TLS: unknown issuer, also after what is trusted was read again; give it with --ca-file"
    );
}

#[test]
fn a_server_that_ends_without_saying_so_is_understood() {
    let authority = Authority::new();
    let config = authority.server(&["127.0.0.1"], VALID);
    let peer = Peer::new(move |stream| {
        let mut stream = accept(config, stream);
        answer_http(&mut stream, b"HTTP/1.0 200 OK\r\n\r\nok");
        // Closed without close_notify.
    });
    let url = format!("https://{}/", peer.address);
    assert_eq!(reason(&["--http", &url, "--ca-file", authority.path()], AMPLE), HEALTHY);
}

#[test]
fn every_probe_makes_a_full_handshake() {
    let authority = Authority::new();
    let config = authority.server(&["127.0.0.1"], VALID);
    let peer = Peer::listening(move |listener| {
        for _ in 0..2 {
            let mut stream = accept(config.clone(), listener.accept().expect("a connection").0);
            answer_http(&mut stream, OK);
            assert_eq!(stream.conn.handshake_kind(), Some(rustls::HandshakeKind::Full));
        }
    });
    let url = format!("https://{}/", peer.address);
    let probes = probes(&["--http", &url, "--ca-file", authority.path()]).expect("a probe");
    for _ in 0..2 {
        assert_eq!(runtime().block_on(probes.run(&Deadline::after(AMPLE))), Outcome::Healthy);
    }
}

#[test]
fn a_peer_without_tls_is_unhealthy_with_a_remedy() {
    let peer = Peer::new(|mut stream| {
        let _ = std::io::Read::read(&mut stream, &mut [0; 1024]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let Outcome::Unhealthy(reason) =
        run(&["--http", &format!("https://{}/", peer.address), "--insecure"], AMPLE)
    else {
        panic!("healthy")
    };
    assert!(
        reason.to_string().ends_with(": TLS: the service does not speak it; is it plain http://?"),
        "{reason}"
    );
    assert_eq!(reason.cause(), Cause::Tls);
}

#[test]
fn a_peer_that_ends_the_handshake_is_unhealthy_and_the_reason_says_when() {
    let probe = |timeout, behave: fn(std::net::TcpStream)| {
        let peer = Peer::new(behave);
        reason_with(&peer, &["--http", &format!("https://{}/", peer.address), "--insecure"], timeout)
    };
    assert_eq!(probe(SHORT, until_closed), "TLS handshake not complete within 50 ms");
    let read_all = |mut stream: std::net::TcpStream| {
        assert!(std::io::Read::read(&mut stream, &mut [0; 4096]).expect("a greeting") > 0);
    };
    assert_eq!(probe(AMPLE, read_all), "connection closed during the TLS handshake");
    let reset = |stream: std::net::TcpStream| {
        stream.peek(&mut [0]).expect("a greeting");
    };
    assert_eq!(probe(AMPLE, reset), "connection reset during the TLS handshake");
}

#[test]
fn files_without_certificates_are_refused_with_a_remedy() {
    let refusal = |path: &str| {
        probes(&["--http", "https://127.0.0.1/", "--ca-file", path])
            .map(drop)
            .expect_err("no trust")
            .to_string()
    };
    let error = refusal("/no/such/file");
    assert!(
        error.starts_with("--http https://127.0.0.1/: --ca-file /no/such/file cannot be read: No such file"),
        "{error}"
    );
    for (pem, expected) in [
        ("", "there is no certificate in --ca-file /"),
        ("certificate", "there is no certificate in"),
        ("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", "is broken: "),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "is broken: "),
    ] {
        let file = pem_file(pem);
        let error = refusal(file.path().to_str().expect("UTF-8"));
        assert!(error.contains(expected), "{pem}: {error}");
    }
}
