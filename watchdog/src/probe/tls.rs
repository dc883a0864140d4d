//! TLS under https:// and gRPC: rustls, with the system's certificates, those of a file, or any.
//!
//! Every probe makes a full handshake. To resume a session is to take the certificate on trust, and new clients cannot.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::danger::ServerCertVerifier;
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub use self::algorithms::SUPPORTED;
use self::anyone::Anyone;
use self::client::{Client, Files, Identity};
pub use self::refused::Refused;
use self::renewed::Renewed;
use super::broken::broken;
use super::course::{Course, Stage};
use super::plain::Plain;
use super::tls_error;
use crate::cli::ProbeArgs;
use crate::words::outcome::{Cause, Reason};

mod agreement;
mod algorithms;
mod anyone;
mod certificate;
mod claims;
mod client;
mod der;
mod file;
mod proof;
mod refused;
mod renewed;
mod trusted;

/// Whose certificates are trusted, for all probes. Read when the first probe needs it, and when one does not hold.
#[derive(Debug)]
pub struct Trust {
    whom: Whom,
    /// `--server-name`
    server_name: Option<String>,
    /// `--cert`
    client: Option<Files>,
    config: Option<(ClientConfig, Option<Arc<Client>>)>,
}

#[derive(Debug, Clone)]
enum Whom {
    System,
    /// `--ca-file`
    File(PathBuf),
    /// `--insecure`
    Anyone,
}

/// TLS with one service.
#[derive(Clone)]
pub struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
    identity: Arc<Identity>,
}

/// Options that TLS cannot be spoken with. The message says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    #[error("{option} {} cannot be read: {problem}; give a PEM file that sd-watchdog may read", path.display())]
    Unreadable { option: &'static str, path: PathBuf, problem: String },
    #[error(
        "there is no certificate in {option} {}; give it in PEM, which begins with -----BEGIN CERTIFICATE-----",
        path.display()
    )]
    NoCertificate { option: &'static str, path: PathBuf },
    #[error("a certificate in {option} {} is broken: {problem}; look at it with openssl x509", path.display())]
    BrokenCertificate { option: &'static str, path: PathBuf, problem: String },
    #[error(
        "there is no key in {option} {}; give it in PEM, which begins with -----BEGIN PRIVATE KEY-----, by --key where it is in \
        another file than the certificate",
        path.display()
    )]
    NoKey { option: &'static str, path: PathBuf },
    #[error("the key in {option} {} is broken: {problem}; look at it with openssl pkey", path.display())]
    BrokenKey { option: &'static str, path: PathBuf, problem: String },
    #[error(
        "the key in {option} {} is encrypted, and nobody will be there to decrypt it: give the file that openssl pkey writes, \
        readable by sd-watchdog alone",
        path.display()
    )]
    EncryptedKey { option: &'static str, path: PathBuf },
    #[error(
        "the key in {option} {} is none that sd-watchdog can sign with: that is RSA with 2048 to 4096 bits, ECDSA on P-256 and \
        P-384, and Ed25519",
        path.display()
    )]
    UnsupportedKey { option: &'static str, path: PathBuf },
    #[error(
        "the key in {} is not that of the certificate in {}; give two that belong together, and the certificate first of its chain",
        key.display(), certificate.display()
    )]
    NoPair { key: PathBuf, certificate: PathBuf },
    #[error("this system has no certificates to trust{problem}; install ca-certificates, or give --ca-file")]
    NoRoots { problem: String },
    #[error("no certificate can be issued for {host}; give the IP address, or the name in ASCII")]
    Name { host: String },
    #[error("TLS cannot be set up: {problem}")]
    Setup { problem: String },
}

impl Trust {
    /// As the options say.
    pub fn new(args: &ProbeArgs) -> Self {
        let whom = match &args.ca_file {
            _ if args.insecure => Whom::Anyone,
            Some(path) => Whom::File(path.clone()),
            None => Whom::System,
        };
        let files = |certificate: &PathBuf| Files { certificate: certificate.clone(), key: args.key.clone() };
        let client = args.cert.as_ref().map(files);
        Self { whom, server_name: args.server_name.clone(), client, config: None }
    }

    /// TLS with `host`, an address or a name without brackets, to speak `protocol` (as ALPN spells it) over. With
    /// `--server-name`, the service is spoken to by that.
    pub fn with(&mut self, host: &str, protocol: &str) -> Result<Tls, TlsError> {
        let host = self.server_name.as_deref().unwrap_or(host);
        let name =
            ServerName::try_from(host.to_owned()).map_err(|_| TlsError::Name { host: host.to_owned() })?;
        let (mut config, client) = match &self.config {
            Some(config) => config.clone(),
            None => self.config.insert(config(&self.whom, self.client.as_ref())?).clone(),
        };
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let identity = Arc::new(Identity::new(client));
        config.client_auth_cert_resolver = Arc::clone(&identity) as Arc<dyn ResolvesClientCert>;
        Ok(Tls { connector: Arc::new(config).into(), name, identity })
    }
}

fn config(whom: &Whom, client: Option<&Files>) -> Result<(ClientConfig, Option<Arc<Client>>), TlsError> {
    let provider = Arc::new(provider());
    let verifier: Arc<dyn ServerCertVerifier> = match whom {
        Whom::Anyone => Arc::new(Anyone),
        Whom::System | Whom::File(_) => Arc::new(Renewed::new(whom.clone())?),
    };
    let client = client.map(|files| Client::new(files.clone(), Arc::clone(&provider))).transpose()?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Setup { problem: error.to_string() })?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok((config, client.map(Arc::new)))
}

/// What ring can, and what it lacks and services use.
fn provider() -> CryptoProvider {
    let mut provider = ring::default_provider();
    provider.kx_groups.push(&agreement::P521);
    provider.signature_verification_algorithms = algorithms::SUPPORTED_ALGORITHMS;
    provider
}

/// Those in the file of `option`, one at least.
fn certificates(option: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = file::open(path).and_then(file::read).map_err(|problem| TlsError::Unreadable {
        option,
        path: path.to_owned(),
        problem,
    })?;
    let certificates = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| broken_certificate(option, path, error.to_string()))?;
    if certificates.is_empty() {
        return Err(TlsError::NoCertificate { option, path: path.to_owned() });
    }
    Ok(certificates)
}

fn broken_certificate(option: &'static str, path: &Path, problem: String) -> TlsError {
    TlsError::BrokenCertificate { option, path: path.to_owned(), problem }
}

impl Tls {
    /// Wraps `stream`.
    pub async fn handshake(&self, stream: Plain, course: &Course) -> Result<TlsStream<Plain>, Reason> {
        course.reach(Stage::Handshake);
        self.identity.forget();
        self.connector.connect(self.name.clone(), stream).await.map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe => {
                self.unknown(Reason::new(Cause::Closed, "connection closed during the TLS handshake"))
            }
            ErrorKind::ConnectionReset => {
                self.unknown(Reason::new(Cause::Closed, "connection reset during the TLS handshake"))
            }
            _ => self.unknown(broken(&error, false)),
        })
    }

    /// The reason where the service broke off or refused, maybe because of who asks.
    pub fn unknown(&self, reason: Reason) -> Reason {
        if !self.identity.was_asked() {
            return reason;
        }
        match reason.cause() {
            Cause::Tls => tls_error::refusal(&reason, self.identity.is_some()).unwrap_or(reason),
            Cause::Closed | Cause::Status if !self.identity.is_some() => Reason::new(
                reason.cause(),
                format!(
                    "{reason}; the service asked for a certificate of its clients: --cert and --key give one"
                ),
            ),
            _ => reason,
        }
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TLS with {:?}", self.name)
    }
}

#[cfg(test)]
mod tests;
