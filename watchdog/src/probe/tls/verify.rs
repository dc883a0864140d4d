//! What rustls leaves to us about certificates.

use std::sync::Arc;

use ring::digest::{SHA256, digest};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

use super::algorithms;
use super::certificate::{Kind, PublicKey};
use super::proof;
use super::refused::Refused;
use crate::probe::tls_error::is_authority;

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

/// As rustls does it, except for one thing: a certificate that is itself among those that are trusted needs nobody to vouch
/// for it, as with curl. `openssl req -x509` makes such certificates, which are their own authority, and rustls takes no
/// authority for a server.
#[derive(Debug)]
pub struct TrustedItself {
    verifier: Arc<WebPkiServerVerifier>,
    /// The SHA-256 of each.
    trusted: Vec<[u8; 32]>,
    /// The first key among them that no signature can be verified with.
    unsupported: Option<Kind>,
}

impl TrustedItself {
    pub fn new(verifier: Arc<WebPkiServerVerifier>, trusted: &[CertificateDer<'_>]) -> Self {
        Self {
            verifier,
            trusted: trusted.iter().map(fingerprint).collect(),
            unsupported: trusted.iter().find_map(unsupported),
        }
    }

    /// As a [`ServerCertVerifier`] does.
    pub fn verify(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // It comes after the check of the dates, and before that of the name.
            Err(Error::InvalidCertificate(refused))
                if is_about_issuer(&refused) && self.trusted.contains(&fingerprint(end_entity)) =>
            {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    /// The key of an authority that signatures cannot be verified with, if there is one: they look as if another issuer of the
    /// same name had made them.
    pub fn unsupported(&self, intermediates: &[CertificateDer<'_>]) -> Option<Kind> {
        intermediates.iter().find_map(unsupported).or_else(|| self.unsupported.clone())
    }
}

fn fingerprint(certificate: &CertificateDer<'_>) -> [u8; 32] {
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(digest(&SHA256, certificate).as_ref());
    fingerprint
}

/// A key that no signature can be verified with.
pub fn unsupported(certificate: &CertificateDer<'_>) -> Option<Kind> {
    PublicKey::of(certificate).map(|key| key.kind).filter(|kind| !algorithms::is_supported(kind))
}

/// Whether a certificate is refused for who issued it, or how: what another authority can mend, unlike one that has expired or
/// is somebody else's.
pub fn is_about_issuer(refused: &CertificateError) -> bool {
    matches!(
        refused,
        CertificateError::UnknownIssuer
            | CertificateError::BadSignature
            | CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. }
    ) || is_authority(refused)
}
