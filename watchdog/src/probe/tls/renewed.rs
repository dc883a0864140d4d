//! Trust that is read again when a certificate does not hold: authorities change, and a service that has taken up the new
//! one is not to be killed for that.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

use super::refused::Refused;
use super::trusted::{Trusted, is_about_issuer, unsupported};
use super::{TlsError, Whom, algorithms, proof};

/// The file's or the system's trust, as it was read last.
#[derive(Debug)]
pub struct Renewed {
    whom: Whom,
    current: Mutex<Arc<Trusted>>,
}

impl Renewed {
    /// Reads it.
    pub fn new(whom: Whom) -> Result<Self, TlsError> {
        let current = Mutex::new(Arc::new(Trusted::read(&whom)?));
        Ok(Self { whom, current })
    }

    fn current(&self) -> Arc<Trusted> {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Where it cannot be read, as while it is being written, it stays as it was.
    fn read_again(&self) -> Result<Arc<Trusted>, TlsError> {
        let new = Arc::new(Trusted::read(&self.whom)?);
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&new);
        Ok(new)
    }
}

impl ServerCertVerifier for Renewed {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verify = |trusted: &Trusted| trusted.verify(end_entity, intermediates, server_name, now);
        if let Some(kind) = unsupported(end_entity) {
            return Err(Refused::Key(kind).into());
        }
        let verified = match verify(&self.current()) {
            Err(Error::InvalidCertificate(refused)) if is_about_issuer(&refused) => match self.read_again() {
                Ok(trusted) => verify(&trusted),
                Err(error) => {
                    tracing::debug!("trust stays as it was: {error}");
                    Err(match refused {
                        CertificateError::UnknownIssuer => Refused::Unread(error.to_string()).into(),
                        refused => refused.into(),
                    })
                }
            },
            verified => verified,
        };
        match verified {
            Err(Error::InvalidCertificate(CertificateError::BadSignature)) => {
                let unsupported = self.current().unsupported(intermediates);
                Err(unsupported
                    .map_or(CertificateError::BadSignature.into(), |kind| Refused::Authority(kind).into()))
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
        proof::verify(message, certificate, signature)?;
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        proof::verify_tls13(message, certificate, signature)?;
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        algorithms::schemes()
    }
}
