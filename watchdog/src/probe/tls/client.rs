//! `--cert` and `--key`: who we are, for services that want to know. Read again when it was renewed: certificates are short-lived,
//! and a service that has outlived the one of its probe is not to be killed for that.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::sign::CertifiedKey;

use super::certificate::PublicKey;
use super::{TlsError, certificates, file};

const CERT: &str = "--cert";
const KEY: &str = "--key";

/// Where the certificate and its key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    pub certificate: PathBuf,
    /// In the file of the certificate, where there is none.
    pub key: Option<PathBuf>,
}

/// The certificate and its key, as they were read last.
#[derive(Debug)]
pub struct Client {
    files: Files,
    provider: Arc<CryptoProvider>,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    key: Arc<CertifiedKey>,
    /// Of the files that it was read from.
    states: States,
    /// Those of later ones, where they were no certificate with its key; and whether that was said.
    failed: Option<(States, bool)>,
}

/// Of the certificate and the key.
type States = [Option<State>; 2];

/// What changes with a file's content.
#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl From<&Metadata> for State {
    fn from(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl Files {
    fn key(&self) -> (&'static str, &Path) {
        match &self.key {
            Some(path) => (KEY, path),
            None => (CERT, &self.certificate),
        }
    }

    fn states(&self) -> States {
        [&self.certificate, self.key().1].map(|path| path.metadata().ok().as_ref().map(State::from))
    }

    pub(super) fn read(&self, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
        let certificates = certificates(CERT, &self.certificate)?;
        let (option, path) = self.key();
        let pem = file::open(path).and_then(file::read).map_err(|problem| TlsError::Unreadable {
            option,
            path: path.to_owned(),
            problem,
        })?;
        let key = PrivateKeyDer::from_pem_slice(&pem);
        if pem.windows(ENCRYPTED.len()).any(|part| part == ENCRYPTED) {
            return Err(TlsError::EncryptedKey { option, path: path.to_owned() });
        }
        let key = key.map_err(|error| match error {
            PemError::NoItemsFound => TlsError::NoKey { option, path: path.to_owned() },
            error => TlsError::BrokenKey { option, path: path.to_owned(), problem: error.to_string() },
        })?;
        let key = provider
            .key_provider
            .load_private_key(key)
            .map_err(|_| TlsError::UnsupportedKey { option, path: path.to_owned() })?;
        let certified = PublicKey::of(&certificates[0]).map(|key| key.info);
        if let (Some(certified), Some(held)) = (certified, key.public_key())
            && certified != held.as_ref()
        {
            return Err(TlsError::NoPair { key: path.to_owned(), certificate: self.certificate.clone() });
        }
        Ok(CertifiedKey::new(certificates, key))
    }
}

/// In PEM of either age.
const ENCRYPTED: &[u8] = b"ENCRYPTED";

impl Client {
    /// Reads it. Says so where the key is everybody's to read.
    pub fn new(files: Files, provider: Arc<CryptoProvider>) -> Result<Self, TlsError> {
        // Before they are read: what is written meanwhile is read again.
        let states = files.states();
        let key = Arc::new(files.read(&provider)?);
        let (option, path) = files.key();
        if path.metadata().is_ok_and(|metadata| metadata.mode() & 0o004 != 0) {
            tracing::warn!(
                "everybody on this machine can read the key in {option} {path}: chmod o= {path}",
                path = path.display()
            );
        }
        Ok(Self { files, provider, current: Mutex::new(Current { key, states, failed: None }) })
    }

    /// Where it cannot be read, or is no pair, as while it is being renewed, it stays as it was. Says so where the next one who
    /// asks finds it no better: nobody is renewing it then.
    pub(super) fn current(&self) -> Arc<CertifiedKey> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let states = self.files.states();
        if states == current.states {
            current.failed = None;
            return Arc::clone(&current.key);
        }
        match self.files.read(&self.provider) {
            Ok(key) => *current = Current { key: Arc::new(key), states, failed: None },
            Err(error) => {
                let is_said = match &current.failed {
                    Some((failed, is_said)) if *failed == states => {
                        if !is_said {
                            tracing::warn!(
                                "services are shown the certificate that was read before: {error}"
                            );
                        }
                        true
                    }
                    _ => false,
                };
                current.failed = Some((states, is_said));
            }
        }
        Arc::clone(&current.key)
    }
}

/// What a service is told of who we are, and whether it asked, in the last handshake.
#[derive(Debug)]
pub struct Identity {
    /// That of `--cert`.
    client: Option<Arc<Client>>,
    was_asked: AtomicBool,
}

impl Identity {
    pub fn new(client: Option<Arc<Client>>) -> Self {
        Self { client, was_asked: AtomicBool::new(false) }
    }

    /// A handshake begins.
    pub fn forget(&self) {
        self.was_asked.store(false, Ordering::Relaxed);
    }

    /// It was asked for.
    pub fn was_asked(&self) -> bool {
        self.was_asked.load(Ordering::Relaxed)
    }

    /// There is one to show.
    pub fn is_some(&self) -> bool {
        self.client.is_some()
    }
}

impl ResolvesClientCert for Identity {
    fn resolve(&self, _authorities: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.was_asked.store(true, Ordering::Relaxed);
        self.client.as_ref().map(|client| client.current())
    }

    fn has_certs(&self) -> bool {
        self.is_some()
    }
}
