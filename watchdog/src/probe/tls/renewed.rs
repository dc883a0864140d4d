//! Trust that is read again when a certificate does not hold: authorities change, and a service that has taken up the new
//! one is not to be killed for that.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

use super::verify::TrustedItself;
use super::{TlsError, Whom, trusted};

/// The file's or the system's trust, as it was read last.
#[derive(Debug)]
pub struct Renewed {
    whom: Whom,
    provider: Arc<CryptoProvider>,
    current: Mutex<Arc<TrustedItself>>,
}

impl Renewed {
    /// Reads it.
    pub fn new(whom: Whom, provider: Arc<CryptoProvider>) -> Result<Self, TlsError> {
        let current = Mutex::new(Arc::new(trusted(&whom, &provider)?));
        Ok(Self { whom, provider, current })
    }

    fn current(&self) -> Arc<TrustedItself> {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Where it cannot be read, as while it is being written, it stays as it was.
    fn read_again(&self) -> Result<Arc<TrustedItself>, TlsError> {
        let new = Arc::new(trusted(&self.whom, &self.provider)?);
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&new);
        Ok(new)
    }
}

/// What another authority can mend; a certificate that has expired, or is somebody else's, it cannot.
fn is_about_authority(refused: &CertificateError) -> bool {
    matches!(
        refused,
        CertificateError::UnknownIssuer | CertificateError::BadSignature | CertificateError::Other(_)
    )
}

impl ServerCertVerifier for Renewed {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verify = |trusted: &TrustedItself| {
            trusted.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        };
        match verify(&self.current()) {
            Err(Error::InvalidCertificate(refused)) if is_about_authority(&refused) => {
                match self.read_again() {
                    Ok(trusted) => verify(&trusted),
                    Err(error) => {
                        tracing::debug!("trust stays as it was: {error}");
                        Err(Error::InvalidCertificate(refused))
                    }
                }
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.current().verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.current().verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.current().supported_verify_schemes()
    }
}
