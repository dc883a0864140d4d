//! Certificates, and peers that have them.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PublicKeyData};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::{CertifiedKey, SigningKey, SingleCertAndKey};
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};
use tempfile::NamedTempFile;

/// Issues certificates; its own is in a file for `--ca-file`.
pub struct Authority {
    name: String,
    issuer: CertifiedIssuer<'static, KeyPair>,
    pub file: NamedTempFile,
}

impl Authority {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    /// One whose certificate has these changes.
    pub fn with(change: impl FnOnce(&mut CertificateParams)) -> Self {
        // Each has a name of its own.
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("authority {} of the tests", COUNT.fetch_add(1, Relaxed));
        let mut params = authority(&name, &[]);
        change(&mut params);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key"));
        let issuer = issuer.expect("a certificate");
        let file = pem_file(&issuer.pem());
        Self { name, issuer, file }
    }

    /// For `--ca-file`.
    pub fn path(&self) -> &str {
        self.file.path().to_str().expect("UTF-8")
    }

    /// The same one again, with a certificate of these changes, in the file.
    pub fn renew(&self, change: impl FnOnce(&mut CertificateParams)) {
        let mut params = authority(&self.name, &[]);
        change(&mut params);
        let renewed = params.self_signed(self.issuer.key()).expect("a certificate");
        std::fs::write(&self.file, renewed.pem()).expect("to write");
    }

    /// A server with a certificate for `names`, valid in the years from `from` until `to`.
    pub fn server(&self, names: &[&str], years: (i32, i32)) -> ServerConfig {
        let key = KeyPair::generate().expect("a key");
        server(self.certificate(names, years, &key), &key)
    }

    /// A server with a certificate for `names`, and the key of another.
    pub fn server_without_key(&self, names: &[&str]) -> ServerConfig {
        let [its, another] = [KeyPair::generate().expect("a key"), KeyPair::generate().expect("a key")];
        let mut config = self.server(names, VALID);
        let key = PrivateKeyDer::try_from(another.serialize_der()).expect("a key");
        let key = config.crypto_provider().key_provider.load_private_key(key).expect("a key");
        let certified = CertifiedKey::new(vec![self.certificate(names, VALID, &its)], key);
        config.cert_resolver = Arc::new(SingleCertAndKey::from(certified));
        config
    }

    /// A server with a certificate for `names` and the key in `public`, which signs as `key` does.
    pub fn server_signing(
        &self,
        names: &[&str],
        public: &impl PublicKeyData,
        key: Arc<dyn SigningKey>,
        version: &'static SupportedProtocolVersion,
    ) -> ServerConfig {
        let certified = CertifiedKey::new(vec![self.certificate(names, VALID, public)], key);
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(&[version])
            .expect("a version")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
    }

    /// The same as `server`, for clients whose certificates are of this authority; others are let in if they `may`.
    pub fn server_of_clients(
        &self,
        may: bool,
        versions: &[&'static SupportedProtocolVersion],
    ) -> ServerConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).expect("an authority");
        let config = self.server(&["127.0.0.1"], VALID);
        let provider = Arc::clone(config.crypto_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider));
        let verifier = if may { verifier.allow_unauthenticated() } else { verifier };
        let mut with = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect("versions")
            .with_client_cert_verifier(verifier.build().expect("a verifier"))
            .with_cert_resolver(config.cert_resolver);
        with.send_tls13_tickets = 0;
        with
    }

    /// A client's certificate and its key, in PEM.
    pub fn client(&self) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec!["probe".to_owned()]).expect("a name");
        (params.signed_by(&key, &self.issuer).expect("a certificate").pem(), key.serialize_pem())
    }

    fn certificate(
        &self,
        names: &[&str],
        (from, to): (i32, i32),
        key: &impl PublicKeyData,
    ) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(strings(names)).expect("names");
        params.distinguished_name.push(DnType::CommonName, "a server of the tests");
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(to, 1, 1);
        params.signed_by(key, &self.issuer).expect("a certificate").der().clone()
    }
}

/// In every year that these tests may run.
pub const VALID: (i32, i32) = (2020, 2200);

/// A server whose certificate for `names` is its own authority, and that certificate in a file.
pub fn its_own_authority(names: &[&str]) -> (ServerConfig, NamedTempFile) {
    vouching_for_itself(names, |_| {})
}

/// The same, with a certificate of these changes.
pub fn vouching_for_itself(
    names: &[&str],
    change: impl FnOnce(&mut CertificateParams),
) -> (ServerConfig, NamedTempFile) {
    let key = KeyPair::generate().expect("a key");
    let mut params = authority("a server that vouches for itself", names);
    change(&mut params);
    let certificate = params.self_signed(&key).expect("a certificate");
    (server(certificate.der().clone(), &key), pem_file(&certificate.pem()))
}

fn authority(name: &str, names: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::new(strings(names)).expect("names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

fn server(certificate: CertificateDer<'static>, key: &KeyPair) -> ServerConfig {
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a certificate")
}

pub fn pem_file(pem: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().expect("a file");
    file.write_all(pem.as_bytes()).expect("to write");
    file
}

/// TLS on an accepted connection. The handshake is made with the first read.
pub fn accept(config: ServerConfig, stream: TcpStream) -> StreamOwned<ServerConnection, TcpStream> {
    StreamOwned::new(ServerConnection::new(Arc::new(config)).expect("a connection"), stream)
}
