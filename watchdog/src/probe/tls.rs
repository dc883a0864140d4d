//! TLS under https:// and gRPC: rustls, with the system's certificates, those of a file, or any.
//!
//! Every probe makes a full handshake. To resume a session is to take the certificate on trust, and new clients cannot.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub use self::algorithms::SUPPORTED;
pub use self::refused::Refused;
use self::renewed::Renewed;
use self::verify::{Anyone, TrustedItself};
use super::broken::broken;
use super::course::{Course, Stage};
use super::plain::Plain;
use crate::cli::ProbeArgs;
use crate::words::outcome::{Cause, Reason};

mod agreement;
mod algorithms;
mod certificate;
mod proof;
mod refused;
mod renewed;
mod verify;

/// All the world's authorities are in some 200 KiB.
const LARGEST_FILE: u64 = 8 << 20;

/// Whose certificates are trusted, for all probes. Read when the first probe needs it, and when one does not hold.
#[derive(Debug)]
pub struct Trust {
    whom: Whom,
    /// `--server-name`
    server_name: Option<String>,
    config: Option<ClientConfig>,
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
}

/// Options that TLS cannot be spoken with. The message says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    #[error("--ca-file {} cannot be read: {problem}; give a PEM file that sd-watchdog may read", path.display())]
    Unreadable { path: PathBuf, problem: String },
    #[error(
        "there is no certificate in --ca-file {}; give it in PEM, which begins with -----BEGIN CERTIFICATE-----",
        path.display()
    )]
    NoCertificate { path: PathBuf },
    #[error("a certificate in --ca-file {} is broken: {problem}; look at it with openssl x509", path.display())]
    BrokenCertificate { path: PathBuf, problem: String },
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
        Self { whom, server_name: args.server_name.clone(), config: None }
    }

    /// TLS with `host`, an address or a name without brackets, to speak `protocol` (as ALPN spells it) over. With
    /// `--server-name`, the service is spoken to by that.
    pub fn with(&mut self, host: &str, protocol: &str) -> Result<Tls, TlsError> {
        let host = self.server_name.as_deref().unwrap_or(host);
        let name =
            ServerName::try_from(host.to_owned()).map_err(|_| TlsError::Name { host: host.to_owned() })?;
        let mut config = match &self.config {
            Some(config) => config.clone(),
            None => self.config.insert(config(&self.whom)?).clone(),
        };
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        Ok(Tls { connector: Arc::new(config).into(), name })
    }
}

fn config(whom: &Whom) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(provider());
    let verifier: Arc<dyn ServerCertVerifier> = match whom {
        Whom::Anyone => Arc::new(Anyone),
        Whom::System | Whom::File(_) => Arc::new(Renewed::new(whom.clone(), Arc::clone(&provider))?),
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Setup { problem: error.to_string() })?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// What ring can, and what it lacks and services use.
fn provider() -> CryptoProvider {
    let mut provider = ring::default_provider();
    provider.kx_groups.push(&agreement::P521);
    provider.signature_verification_algorithms = algorithms::SUPPORTED_ALGORITHMS;
    provider
}

fn trusted(whom: &Whom, provider: &Arc<CryptoProvider>) -> Result<TrustedItself, TlsError> {
    let (roots, certificates) = match whom {
        Whom::File(path) => file(path)?,
        Whom::System | Whom::Anyone => system()?,
    };
    Ok(TrustedItself::new(verifier(roots, provider)?, &certificates))
}

fn verifier(
    roots: RootCertStore,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, TlsError> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|error| TlsError::Setup { problem: error.to_string() })
}

fn system() -> Result<(RootCertStore, Vec<CertificateDer<'static>>), TlsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs.iter().cloned());
    if roots.is_empty() {
        let problem = found.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
        return Err(TlsError::NoRoots { problem });
    }
    Ok((roots, found.certs))
}

/// A FIFO would be waited for without end, and a device has none.
fn read(path: &Path) -> Result<Vec<u8>, String> {
    let words = |error: io::Error| error.to_string();
    // Not to wait for a FIFO's other end. To regular files it means nothing.
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(words)?;
    if !file.metadata().map_err(words)?.is_file() {
        return Err("it is no regular file".to_owned());
    }
    let mut pem = Vec::new();
    file.take(LARGEST_FILE + 1).read_to_end(&mut pem).map_err(words)?;
    if pem.len() as u64 > LARGEST_FILE {
        return Err(format!("it is larger than {} MiB", LARGEST_FILE >> 20));
    }
    Ok(pem)
}

fn file(path: &Path) -> Result<(RootCertStore, Vec<CertificateDer<'static>>), TlsError> {
    let broken = |problem: String| TlsError::BrokenCertificate { path: path.to_owned(), problem };
    let pem = read(path).map_err(|problem| TlsError::Unreadable { path: path.to_owned(), problem })?;
    let certificates = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| broken(error.to_string()))?;
    if certificates.is_empty() {
        return Err(TlsError::NoCertificate { path: path.to_owned() });
    }
    let mut roots = RootCertStore::empty();
    for certificate in &certificates {
        roots.add(certificate.clone()).map_err(|error| broken(error.to_string()))?;
    }
    Ok((roots, certificates))
}

impl Tls {
    /// Wraps `stream`.
    pub async fn handshake(&self, stream: Plain, course: &Course) -> Result<TlsStream<Plain>, Reason> {
        course.reach(Stage::Handshake);
        self.connector.connect(self.name.clone(), stream).await.map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe => {
                Reason::new(Cause::Closed, "connection closed during the TLS handshake")
            }
            ErrorKind::ConnectionReset => {
                Reason::new(Cause::Closed, "connection reset during the TLS handshake")
            }
            _ => broken(&error, false),
        })
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TLS with {:?}", self.name)
    }
}

#[cfg(test)]
mod tests;
