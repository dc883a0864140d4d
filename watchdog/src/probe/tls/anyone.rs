//! No trust in anyone, and so in everyone.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};

use super::refused::Refused;
use super::{algorithms, proof};

/// `--insecure`: takes any certificate. Where its key is of a kind that can be verified, the service must hold it, as it must
/// for all its other clients: a broken one is still found.
#[derive(Debug)]
pub struct Anyone;

impl Anyone {
    fn proven(proof: Result<(), Refused>) -> Result<HandshakeSignatureValid, Error> {
        match proof {
            Err(broken @ (Refused::Forged | Refused::Scheme)) => Err(broken.into()),
            Ok(()) | Err(_) => Ok(HandshakeSignatureValid::assertion()),
        }
    }
}

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Self::proven(proof::verify(message, certificate, signature))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Self::proven(proof::verify_tls13(message, certificate, signature))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        algorithms::any_schemes()
    }
}
