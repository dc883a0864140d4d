//! That a service holds the key of its certificate: it has signed the handshake with it.

use rustls::DigitallySignedStruct;
use rustls::pki_types::CertificateDer;

use super::algorithms;
use super::certificate::PublicKey;
use super::refused::Refused;

/// The same in TLS 1.3, which lets each kind of key sign in fewer ways.
pub fn verify_tls13(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
) -> Result<(), Refused> {
    let key = PublicKey::of(certificate).ok_or(Refused::Unreadable)?;
    if !algorithms::is_for_tls13(&key.kind, signed.scheme) {
        return Err(Refused::Scheme);
    }
    verify(message, certificate, signed)
}

/// Whether `signed` is `message`, signed with the key of `certificate`: not where that is forged, or none that we can verify.
pub fn verify(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
) -> Result<(), Refused> {
    let key = PublicKey::of(certificate).ok_or(Refused::Unreadable)?;
    let algorithm = algorithms::of_handshake(&key.kind, signed.scheme).ok_or(Refused::Key(key.kind))?;
    algorithm.verify_signature(key.bytes, message, signed.signature()).map_err(|_| Refused::Forged)
}
