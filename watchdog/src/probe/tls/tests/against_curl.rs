//! Our judgement of certificates beside curl's: keys, signatures, dates, names, chains, extensions and versions.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::issuing::*;
use crate::probe::testing::{AMPLE, reason};

/// Where we may take for healthy what curl does not, and why: what is odd about the certificate, all of it.
const LENIENT: &[(&[&str], &str)] = &[
    (&["may sign certificates alone"], "webpki passes over keyUsage; the service is who it should be"),
    (&["root for one step of two"], ANCHOR),
    (&["forged", "leaf trusted"], "who is trusted byte for byte needs nobody's signature"),
];

const ANCHOR: &str = "how long a chain may be is not asked of what is trusted: RFC 5280, section 6.1.1 (d)";

/// Where curl takes for healthy what we do not, and why.
const STRICT: &[(&[&str], &str)] = &[
    (&["key: RSA-PSS", "TLS 1.2"], TLS_1_2),
    (&["key: RSA-PSS for SHA-256", "TLS 1.2"], TLS_1_2),
    (&["key: Ed448"], ED448_MISSING),
    (&["signed: Ed448"], ED448_MISSING),
    (&["signed: secp256k1"], "a curve that no browser takes; the reason names it"),
    (&["signed: RSA, SHA-224"], "a hash that nobody uses; the reason names it"),
    (
        &["signed: RSA-PSS, longest salt"],
        "ring has the salt as long as the hash, as TLS has; the reason names it",
    ),
    (&["version 1"], VERSION),
    (&["version 2"], VERSION),
    (&["version 1 with extensions"], VERSION),
    (&["alone, version 1"], VERSION),
    (&["no alternative name"], COMMON_NAME),
    (&["empty alternative name"], COMMON_NAME),
    (
        &["dot at the end"],
        "a name with a dot at its end is none: RFC 5280, section 4.2.1.6, has the preferred syntax",
    ),
    (&["critical policies"], POLICIES),
    (&["an authority"], "webpki takes none for a server, unless it is given itself, which the reason says"),
];

/// The same with `--insecure`.
const STRICT_INSECURE: &[(&[&str], &str)] = &[
    (&["key: RSA-PSS", "TLS 1.2"], TLS_1_2),
    (&["key: RSA-PSS for SHA-256", "TLS 1.2"], TLS_1_2),
    (&["key: Ed448", "TLS 1.2"], TLS_1_2),
];

const TLS_1_2: &str = "rustls has no such key in TLS 1.2; the reason names it, and TLS 1.3";
const ED448_MISSING: &str = "ring has no Ed448, nor has a crate that is finished; the reason names it";
const VERSION: &str =
    "only the common name could say whose it is, which RFC 9525 forbids; the reason names --insecure";
const COMMON_NAME: &str = "a common name is no name of a server: RFC 9525, section 6.3; the reason says so";

const POLICIES: &str =
    "webpki knows no certificatePolicies, and RFC 5280, section 4.2, has it refuse what is critical then";

/// How one asks.
const ASKS: [Ask; 3] = [Ask::Trusting, Ask::TrustingAnother, Ask::Insecure];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ask {
    /// With the authority's certificate.
    Trusting,
    /// With another's.
    TrustingAnother,
    Insecure,
}

struct Case {
    /// What is odd about it.
    traits: Vec<&'static str>,
    host: &'static str,
    key: PathBuf,
    leaf: PathBuf,
    chain: Option<PathBuf>,
    /// For `--ca-file`
    trusted: PathBuf,
    protocol: Option<&'static str>,
}

/// What a server's certificate is, but for what a case says.
fn server(extensions: Vec<Vec<u8>>) -> Content {
    Content { version: 3, serial: &[1], from: "20200101", to: "22000101", subject: "localhost", extensions }
}

fn authority(subject: &'static str) -> Content {
    Content { subject, ..server(vec![is_authority(&[])]) }
}

/// `basicConstraints`
fn is_authority(length: &[u8]) -> Vec<u8> {
    let mut parts = vec![der(1, &[vec![0xFF]])];
    if !length.is_empty() {
        parts.push(der(2, &[length.to_vec()]));
    }
    extension(19, true, der(0x30, &parts))
}

/// `subjectAltName`: names, and addresses in four bytes.
fn names(names: &[(u8, &[u8])]) -> Vec<u8> {
    let names: Vec<_> = names.iter().map(|(kind, name)| der(0x80 | kind, &[name.to_vec()])).collect();
    extension(17, false, der(0x30, &names))
}

const DNS: u8 = 2;
const IP: u8 = 7;

fn localhost() -> Vec<u8> {
    names(&[(DNS, b"localhost"), (IP, &[127, 0, 0, 1])])
}

/// `extKeyUsage`: id-kp of that number.
fn purpose(number: u8) -> Vec<u8> {
    let purpose = der(6, &[vec![0x2B, 6, 1, 5, 5, 7, 3, number]]);
    extension(37, false, der(0x30, &[purpose]))
}

/// Makes cases out of certificates.
struct Cases<'a> {
    issuing: &'a Issuing,
    authority: Issued,
    made: Vec<Case>,
}

impl Cases<'_> {
    fn add(
        &mut self,
        traits: &[&'static str],
        leaf: &Issued,
        chain: &[&Issued],
        trusted: &Issued,
    ) -> &mut Case {
        let name = |what: &str| format!("{} {what}.pem", self.made.len());
        let chain_file = (!chain.is_empty()).then(|| {
            let chain: Vec<&[u8]> = chain.iter().map(|issued| issued.certificate.as_slice()).collect();
            self.issuing.file(&name("chain"), &chain)
        });
        self.made.push(Case {
            traits: traits.to_vec(),
            host: "localhost",
            key: leaf.holder.file.clone(),
            leaf: self.issuing.file(&name("leaf"), &[&leaf.certificate]),
            chain: chain_file,
            trusted: self.issuing.file(&name("trusted"), &[&trusted.certificate]),
            protocol: None,
        });
        self.made.last_mut().expect("a case")
    }

    /// A certificate by the ordinary authority, for the ordinary key.
    fn leaf(&mut self, traits: &[&'static str], content: &Content) -> &mut Case {
        let holder = self.issuing.key(P256, "server");
        let authority = self.authority.clone();
        let leaf = self.issuing.issue(&holder, content, Some(&authority), Signed::Sha256);
        self.add(traits, &leaf, &[], &authority)
    }

    fn keys(&mut self) {
        for (key, trait_) in [
            (RSA, "key: RSA"),
            (RSA_1024, "key: RSA 1024"),
            (PSS, "key: RSA-PSS"),
            (PSS_SHA256, "key: RSA-PSS for SHA-256"),
            (P256, "key: P-256"),
            (P384, "key: P-384"),
            (P521, "key: P-521"),
            (SECP256K1, "key: secp256k1"),
            (ED25519, "key: Ed25519"),
            (ED448, "key: Ed448"),
        ] {
            let holder = self.issuing.key(key, "server");
            let authority = self.authority.clone();
            let leaf =
                self.issuing.issue(&holder, &server(vec![localhost()]), Some(&authority), Signed::Sha256);
            for (protocol, version) in [("-tls1_3", "TLS 1.3"), ("-tls1_2", "TLS 1.2")] {
                self.add(&[trait_, version], &leaf, &[], &authority).protocol = Some(protocol);
            }
        }
    }

    fn signatures(&mut self) {
        for (key, signed, trait_) in [
            (RSA, Signed::Sha384, "signed: RSA, SHA-384"),
            (RSA, Signed::Sha512, "signed: RSA, SHA-512"),
            (RSA, Signed::Sha224, "signed: RSA, SHA-224"),
            (RSA, Signed::Sha1, "signed: RSA, SHA-1"),
            (RSA, Signed::Md5, "signed: RSA, MD5"),
            (RSA, Signed::Pss(32), "signed: RSA-PSS"),
            (RSA, Signed::Pss(222), "signed: RSA-PSS, longest salt"),
            (RSA_1024, Signed::Sha256, "signed: RSA 1024"),
            (PSS, Signed::Pss(32), "signed: key for RSA-PSS"),
            (PSS_SHA256, Signed::Pss(32), "signed: key for RSA-PSS with SHA-256"),
            (P256, Signed::Sha384, "signed: P-256, SHA-384"),
            (P256, Signed::Sha512, "signed: P-256, SHA-512"),
            (P256, Signed::Sha1, "signed: P-256, SHA-1"),
            (P384, Signed::Sha256, "signed: P-384, SHA-256"),
            (P384, Signed::Sha384, "signed: P-384, SHA-384"),
            (P384, Signed::Sha512, "signed: P-384, SHA-512"),
            (P521, Signed::Sha256, "signed: P-521, SHA-256"),
            (P521, Signed::Sha384, "signed: P-521, SHA-384"),
            (P521, Signed::Sha512, "signed: P-521, SHA-512"),
            (SECP256K1, Signed::Sha256, "signed: secp256k1"),
            (ED25519, Signed::Pure, "signed: Ed25519"),
            (ED448, Signed::Pure, "signed: Ed448"),
        ] {
            let holder = self.issuing.key(key, "authority");
            let authority = self.issuing.issue(&holder, &authority("signer"), None, signed);
            let holder = self.issuing.key(P256, "server");
            let leaf = self.issuing.issue(&holder, &server(vec![localhost()]), Some(&authority), signed);
            self.add(&[trait_], &leaf, &[], &authority);
            // Which is trusted itself, so that nobody's signature matters.
            let alone = self.issuing.issue(
                &self.issuing.key(key, "authority"),
                &server(vec![localhost(), is_authority(&[])]),
                None,
                signed,
            );
            self.add(&[trait_, "self-signed"], &alone, &[], &alone);
        }
    }

    fn contents(&mut self) {
        let ordinary = || server(vec![localhost()]);
        let with = |extension| server(vec![localhost(), extension]);
        self.leaf(&["expired"], &Content { to: "20210101", ..ordinary() });
        self.leaf(&["not valid yet"], &Content { from: "21990101", ..ordinary() });
        self.leaf(&["valid until after 2049"], &Content { to: "99991231", ..ordinary() });
        self.leaf(&["version 1"], &Content { version: 1, ..server(Vec::new()) });
        self.leaf(&["version 2"], &Content { version: 2, ..server(Vec::new()) });
        self.leaf(&["version 1 with extensions"], &Content { version: 1, ..ordinary() });
        self.leaf(&["negative serial"], &Content { serial: &[0x80], ..ordinary() });
        self.leaf(&["serial 0"], &Content { serial: &[0], ..ordinary() });
        self.leaf(&["long serial"], &Content { serial: &[0x7F; 40], ..ordinary() });
        self.leaf(&["no alternative name"], &server(Vec::new()));
        self.leaf(&["for another"], &server(vec![names(&[(DNS, b"example.org")])]));
        self.leaf(&["another alternative name"], &server(vec![names(&[(DNS, b"example.org")])]));
        self.leaf(&["alternative name of an address"], &server(vec![names(&[(IP, &[127, 0, 0, 1])])]));
        self.leaf(&["by address"], &ordinary()).host = "127.0.0.1";
        self.leaf(&["address as a name"], &server(vec![names(&[(DNS, b"127.0.0.1")])])).host = "127.0.0.1";
        let by_address = Content { subject: "127.0.0.1", ..server(Vec::new()) };
        self.leaf(&["no alternative name", "by address"], &by_address).host = "127.0.0.1";
        self.leaf(&["address of five bytes"], &server(vec![names(&[(DNS, b"localhost"), (IP, &[1; 5])])]));
        self.leaf(&["capital letters"], &server(vec![names(&[(DNS, b"LocalHost")])]));
        self.leaf(&["wildcard"], &server(vec![names(&[(DNS, b"*.localhost")])])).host = "a.localhost";
        self.leaf(&["wildcard of two labels"], &server(vec![names(&[(DNS, b"*.localhost")])])).host =
            "a.b.localhost";
        self.leaf(&["wildcard in a label"], &server(vec![names(&[(DNS, b"a*.localhost")])])).host =
            "ab.localhost";
        self.leaf(&["wildcard alone"], &server(vec![names(&[(DNS, b"*")])]));
        self.leaf(&["underscore"], &server(vec![names(&[(DNS, b"a_b.localhost")])])).host = "a_b.localhost";
        self.leaf(
            &["garbage beside the name"],
            &server(vec![names(&[(DNS, b"\xFF\x01 "), (DNS, b"localhost")])]),
        );
        self.leaf(
            &["mail address beside the name"],
            &server(vec![names(&[(1, b"a@b"), (DNS, b"localhost")])]),
        );
        self.leaf(&["dot at the end"], &server(vec![names(&[(DNS, b"localhost.")])]));
        self.leaf(&["empty alternative name"], &server(vec![names(&[])]));
        self.leaf(&["alternative name twice"], &with(localhost()));
        self.leaf(&["critical and unknown"], &with(extension_of(&[0x2A, 3, 4], true, vec![5, 0])));
        // anyPolicy
        let policies = der(0x30, &[der(0x30, &[der(6, &[vec![0x55, 0x1D, 0x20, 0]])])]);
        self.leaf(&["policies"], &with(extension(32, false, policies.clone())));
        self.leaf(&["critical policies"], &with(extension(32, true, policies)));
        self.leaf(&["unknown"], &with(extension_of(&[0x2A, 3, 4], false, vec![5, 0])));
        self.leaf(&["for servers"], &with(purpose(1)));
        self.leaf(&["for clients"], &with(purpose(2)));
        self.leaf(&["for mail"], &with(purpose(4)));
        self.leaf(&["may sign certificates alone"], &with(extension(15, true, der(3, &[vec![2, 4]]))));
        self.leaf(&["may encipher keys alone"], &with(extension(15, true, der(3, &[vec![5, 0x20]]))));
        self.leaf(&["an authority"], &with(is_authority(&[])));
        self.leaf(&["not an authority"], &with(extension(19, true, der(0x30, &[]))));
    }

    /// What vouches for others, and may not or not any more.
    fn vouchers(&mut self) {
        let issuing = self.issuing;
        let server_key = issuing.key(P256, "server");
        let leaf_of = |issuer: &Issued| {
            issuing.issue(&server_key, &server(vec![localhost()]), Some(issuer), Signed::Sha256)
        };
        let holder = issuing.key(P256, "root");
        let [old, valid] = ["20210101", "22000101"]
            .map(|to| issuing.issue(&holder, &Content { to, ..authority("root") }, None, Signed::Sha256));
        let case = self.add(&["root expired, and renewed"], &leaf_of(&old), &[], &old);
        case.trusted = issuing.file("renewed.pem", &[&old.certificate, &valid.certificate]);
        self.add(&["root expired, and sent renewed"], &leaf_of(&old), &[&valid], &old);
        let pinned = issuing.issue(&server_key, &server(vec![localhost()]), None, Signed::Sha256);
        self.add(&["by a server that is trusted"], &leaf_of(&pinned), &[], &pinned);
        self.add(&["by a server that is trusted, and sent too"], &leaf_of(&pinned), &[&pinned], &pinned);
        let new = Content { serial: &[2], ..server(vec![localhost()]) };
        let new = issuing.issue(&server_key, &new, None, Signed::Sha256);
        self.add(&["alone, beside one that is trusted"], &new, &[], &pinned);
    }

    fn chains(&mut self) {
        let (issuing, root) = (self.issuing, self.authority.clone());
        let server_key = issuing.key(P256, "server");
        let between = |content: &Content| {
            issuing.issue(&issuing.key(P384, "intermediate"), content, Some(&root), Signed::Sha256)
        };
        let leaf_of = |issuer: &Issued| {
            issuing.issue(&server_key, &server(vec![localhost()]), Some(issuer), Signed::Sha256)
        };
        let intermediate = between(&authority("intermediate"));
        let leaf = leaf_of(&intermediate);
        self.add(&["intermediate"], &leaf, &[&intermediate], &root);
        self.add(&["intermediate left out"], &leaf, &[], &root);
        self.add(&["root sent too"], &leaf, &[&intermediate, &root], &root);
        self.add(&["out of order"], &leaf, &[&root, &intermediate], &root);
        self.add(&["intermediate trusted"], &leaf, &[], &intermediate);
        self.add(&["leaf trusted"], &leaf, &[], &leaf);
        let expired = between(&Content { to: "20210101", ..authority("intermediate") });
        self.add(&["intermediate expired"], &leaf_of(&expired), &[&expired], &root);
        let no_authority = between(&Content { subject: "intermediate", ..server(Vec::new()) });
        self.add(&["intermediate that is no authority"], &leaf_of(&no_authority), &[&no_authority], &root);
        let old = between(&Content { version: 1, subject: "intermediate", ..server(Vec::new()) });
        self.add(&["intermediate of version 1"], &leaf_of(&old), &[&old], &root);
        for (trait_, content) in [
            ("root expired", Content { to: "20210101", ..authority("root") }),
            ("root not valid yet", Content { from: "21990101", ..authority("root") }),
            ("root valid until after 2049", Content { to: "99991231", ..authority("root") }),
            ("root of version 1", Content { version: 1, subject: "root", ..server(Vec::new()) }),
            ("root that says nothing of it", Content { subject: "root", ..server(Vec::new()) }),
            (
                "root that is no authority",
                Content { subject: "root", ..server(vec![extension(19, true, der(0x30, &[]))]) },
            ),
            (
                "root that may sign nothing",
                Content {
                    subject: "root",
                    ..server(vec![is_authority(&[]), extension(15, true, der(3, &[vec![7, 0x80]]))])
                },
            ),
            (
                "root that may sign, and says nothing else",
                Content { subject: "root", ..server(vec![extension(15, true, der(3, &[vec![2, 4]]))]) },
            ),
            ("root for servers", Content { subject: "root", ..server(vec![is_authority(&[]), purpose(1)]) }),
            ("root for one step", Content { subject: "root", ..server(vec![is_authority(&[0])]) }),
            ("root for clients", Content { subject: "root", ..server(vec![is_authority(&[]), purpose(2)]) }),
            (
                "root with another name's constraint",
                Content {
                    subject: "root",
                    ..server(vec![
                        is_authority(&[]),
                        extension(
                            30,
                            true,
                            der(0x30, &[der(0xA0, &[der(0x30, &[der(0x82, &[b"example.org".to_vec()])])])]),
                        ),
                    ])
                },
            ),
        ] {
            let root = issuing.issue(&issuing.key(P256, "root"), &content, None, Signed::Sha256);
            self.add(&[trait_], &leaf_of(&root), &[], &root);
            if trait_ == "root for one step" {
                let content = authority("intermediate");
                let second =
                    issuing.issue(&issuing.key(P384, "intermediate"), &content, Some(&root), Signed::Sha256);
                self.add(&["root for one step of two"], &leaf_of(&second), &[&second], &root);
            }
        }
        let between = leaf_of(&intermediate);
        self.add(&["by a server of the authority"], &leaf_of(&between), &[&between, &intermediate], &root);
        let mut forged = leaf.clone();
        *forged.certificate.last_mut().expect("a signature") ^= 1;
        self.add(&["forged"], &forged, &[&intermediate], &root);
        self.add(&["forged", "leaf trusted"], &forged, &[&intermediate], &forged);
        let alone = |content: &Content| issuing.issue(&server_key, content, None, Signed::Sha256);
        for (trait_, content) in [
            ("alone", server(vec![localhost()])),
            ("alone, and an authority", server(vec![localhost(), is_authority(&[])])),
            ("alone, version 1", Content { version: 1, ..server(Vec::new()) }),
            ("alone, expired", Content { to: "20210101", ..server(vec![localhost()]) }),
            (
                "alone, expired, and an authority",
                Content { to: "20210101", ..server(vec![localhost(), is_authority(&[])]) },
            ),
            ("alone, for another", server(vec![names(&[(DNS, b"example.org")])])),
            ("alone, for clients", server(vec![localhost(), purpose(2)])),
            (
                "alone, for clients, and an authority",
                server(vec![localhost(), purpose(2), is_authority(&[])]),
            ),
            (
                "alone, for servers, and an authority",
                server(vec![localhost(), purpose(1), is_authority(&[])]),
            ),
        ] {
            let leaf = alone(&content);
            self.add(&[trait_], &leaf, &[], &leaf);
        }
    }
}

/// `openssl s_server`, which answers whoever asks with a page.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    fn new(case: &Case) -> Self {
        let mut command = Command::new("openssl");
        command.args(["s_server", "-accept", "127.0.0.1:0", "-www", "-cipher", "DEFAULT@SECLEVEL=0", "-key"]);
        command.arg(&case.key).arg("-cert").arg(&case.leaf).args(case.protocol);
        if let Some(chain) = &case.chain {
            command.arg("-cert_chain").arg(chain);
        }
        let mut process = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl");
        let mut lines = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        let port = loop {
            let line =
                lines.next().unwrap_or_else(|| panic!("a server for {:?}", case.traits)).expect("a line");
            if let Some(address) = line.strip_prefix("ACCEPT ") {
                break address.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
            }
        };
        // What it says later is read by nobody; it says less than a pipe holds.
        std::mem::forget(lines);
        Self { process, port }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Empty for healthy.
fn ours(case: &Case, ask: Ask, port: u16, another: &Path) -> String {
    let url = format!("https://127.0.0.1:{port}/");
    let mut options = vec!["--http", &url, "--server-name", case.host];
    match ask {
        Ask::Trusting => options.extend(["--ca-file", case.trusted.to_str().expect("UTF-8")]),
        Ask::TrustingAnother => options.extend(["--ca-file", another.to_str().expect("UTF-8")]),
        Ask::Insecure => options.push("--insecure"),
    }
    match crate::probe::testing::probes(&options) {
        Ok(_) => reason(&options, AMPLE),
        Err(error) => format!("option refused: {error}"),
    }
}

/// The same of curl, for each of the [`ASKS`].
fn curls(case: &Case, port: u16, another: &Path) -> Vec<String> {
    let mut curl = Command::new("curl");
    curl.arg("-q");
    for ask in ASKS {
        curl.args(["--silent", "--noproxy", "*", "--output", "/dev/null", "--max-time", "20"]);
        curl.args(["--write-out", "%{exitcode} %{errormsg}\n", "--connect-to"])
            .arg(format!("::127.0.0.1:{port}"));
        match ask {
            Ask::Trusting => curl.arg("--cacert").arg(&case.trusted),
            Ask::TrustingAnother => curl.arg("--cacert").arg(another),
            Ask::Insecure => curl.arg("--insecure"),
        };
        curl.arg(format!("https://{}:{port}/", case.host)).arg("--next");
    }
    let output = curl.output().expect("curl");
    let said = String::from_utf8_lossy(&output.stdout);
    let said: Vec<_> = said.lines().map(|line| line.strip_prefix("0 ").unwrap_or(line).to_owned()).collect();
    assert_eq!(said.len(), ASKS.len(), "{said:?} of {curl:?}");
    said
}

#[test]
fn what_curl_takes_is_healthy_and_every_difference_has_a_reason() {
    let Some(version) = Command::new("curl").arg("--version").output().ok().map(|output| output.stdout)
    else {
        eprintln!("skipped: there is no curl");
        return;
    };
    if !Issuing::is_possible() || !String::from_utf8_lossy(&version).contains("OpenSSL/3") {
        eprintln!("skipped: there is no openssl, or curl has another TLS than OpenSSL 3");
        return;
    }
    let issuing = Issuing::new();
    let root = issuing.issue(&issuing.key(P256, "authority"), &authority("authority"), None, Signed::Sha256);
    let other = issuing.issue(&issuing.key(P256, "other"), &authority("other"), None, Signed::Sha256);
    let another = issuing.file("another.pem", &[&other.certificate]);
    let mut cases = Cases { issuing: &issuing, authority: root, made: Vec::new() };
    cases.keys();
    cases.signatures();
    cases.contents();
    cases.chains();
    cases.vouchers();
    let cases = cases.made;
    let (next, judged) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Relaxed)) {
                    let server = Server::new(case);
                    for (ask, curls) in ASKS.into_iter().zip(curls(case, server.port, &another)) {
                        let ours = ours(case, ask, server.port, &another);
                        judged.lock().expect("no panic").push((case, ask, ours, curls));
                    }
                }
            });
        }
    });
    let (mut used, mut unexplained) = (BTreeSet::new(), String::new());
    for (case, ask, ours, curls) in judged.into_inner().expect("no panic") {
        let table = match (ours.is_empty(), curls.is_empty()) {
            (true, false) => LENIENT,
            (false, true) if ask == Ask::Insecure => STRICT_INSECURE,
            (false, true) => STRICT,
            _ => continue,
        };
        let is_why = |(traits, _): &&(&[&str], &str)| traits.iter().all(|name| case.traits.contains(name));
        match table.iter().find(is_why) {
            Some((traits, _)) => {
                used.insert((ask == Ask::Insecure, *traits));
            }
            None => {
                let _ =
                    writeln!(unexplained, "{ask:?} {:?}\n    ours: {ours}\n    curl: {curls}", case.traits);
            }
        }
    }
    assert!(unexplained.is_empty(), "\n{unexplained}");
    for (table, is_insecure) in [(LENIENT, false), (STRICT, false), (STRICT_INSECURE, true)] {
        for (traits, why) in table {
            assert!(
                used.contains(&(is_insecure, *traits)),
                "no difference any more, because of {traits:?}: {why}"
            );
        }
    }
}
