//! Who is trusted: authorities, and certificates that need none.

use std::path::Path;

use ring::digest::{SHA256, digest};
use rustls::client::danger::ServerCertVerified;
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, RootCertStore};

use super::algorithms::{self, SUPPORTED_ALGORITHMS};
use super::certificate::{Kind, PublicKey};
use super::claims::Claims;
use super::refused::{Refused, Unfit};
use super::{TlsError, Whom, broken_certificate, certificates};
use crate::probe::tls_error::is_authority;

/// All that are trusted. As rustls has it, except for two things, in which it is as with curl:
///
/// - A certificate that is itself among them needs nobody to vouch for it. `openssl req -x509` makes such certificates, which
///   are their own authority, and rustls takes no authority for a server.
/// - Only an authority vouches for others, and only while it is valid. To rustls whatever is trusted is an authority, for ever.
#[derive(Debug)]
pub struct Trusted {
    issuers: Vec<Issuer>,
    /// The SHA-256 of each certificate.
    fingerprints: Vec<[u8; 32]>,
    /// The first key among them that no signature can be verified with.
    unsupported: Option<Kind>,
}

/// One that is trusted, as the issuer of others.
#[derive(Debug, Clone)]
struct Issuer {
    anchor: TrustAnchor<'static>,
    /// Where they can be read.
    claims: Option<Claims>,
}

impl Trusted {
    /// Those of a file, or of the system.
    pub fn read(whom: &Whom) -> Result<Self, TlsError> {
        match whom {
            Whom::File(path) => Self::in_file(path),
            Whom::System | Whom::Anyone => Self::of_system(),
        }
    }

    fn in_file(path: &Path) -> Result<Self, TlsError> {
        let certificates = certificates("--ca-file", path)?;
        let issuers = certificates.iter().map(Issuer::new).collect::<Result<_, _>>();
        let issuers = issuers.map_err(|error| broken_certificate("--ca-file", path, error.to_string()))?;
        Ok(Self::new(issuers, &certificates))
    }

    fn of_system() -> Result<Self, TlsError> {
        let found = rustls_native_certs::load_native_certs();
        let issuers: Vec<_> = found.certs.iter().filter_map(|one| Issuer::new(one).ok()).collect();
        if issuers.is_empty() {
            let problem = found.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
            return Err(TlsError::NoRoots { problem });
        }
        Ok(Self::new(issuers, &found.certs))
    }

    fn new(issuers: Vec<Issuer>, certificates: &[CertificateDer<'_>]) -> Self {
        Self {
            issuers,
            fingerprints: certificates.iter().map(fingerprint).collect(),
            unsupported: certificates.iter().find_map(unsupported),
        }
    }

    /// As a `ServerCertVerifier` does.
    pub fn verify(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let issued_by = |roots: Vec<TrustAnchor<'static>>| {
            let roots = RootCertStore { roots };
            let algorithms = SUPPORTED_ALGORITHMS.all;
            verify_server_cert_signed_by_trust_anchor(&certificate, &roots, intermediates, now, algorithms)
        };
        let fit = self.issuers.iter().filter(|issuer| issuer.unfit(now).is_none());
        match issued_by(fit.map(|issuer| issuer.anchor.clone()).collect()) {
            // It comes after the check of the dates.
            Err(Error::InvalidCertificate(refused)) if is_about_issuer(&refused) => {
                if self.fingerprints.contains(&fingerprint(end_entity)) {
                    // That of an authority is refused before its purpose is looked at.
                    if Claims::of(end_entity).is_some_and(|claims| !claims.is_for_servers) {
                        return Err(Refused::Purpose.into());
                    }
                } else {
                    let mut unfit =
                        self.issuers.iter().filter_map(|issuer| Some((issuer, issuer.unfit(now)?)));
                    let issuer = unfit.find(|(issuer, _)| issued_by(vec![issuer.anchor.clone()]).is_ok());
                    return Err(issuer.map_or(refused.into(), |(_, why)| Refused::Issuer(why).into()));
                }
            }
            verified => verified?,
        }
        verify_server_name(&certificate, server_name)?;
        Ok(ServerCertVerified::assertion())
    }

    /// The key of an authority that signatures cannot be verified with, if there is one: they look as if another issuer of the
    /// same name had made them.
    pub fn unsupported(&self, intermediates: &[CertificateDer<'_>]) -> Option<Kind> {
        intermediates.iter().find_map(unsupported).or_else(|| self.unsupported.clone())
    }
}

impl Issuer {
    fn new(certificate: &CertificateDer<'_>) -> Result<Self, webpki::Error> {
        let anchor = webpki::anchor_from_trusted_cert(certificate)?.to_owned();
        Ok(Self { anchor, claims: Claims::of(certificate) })
    }

    /// Why it cannot vouch for another certificate now.
    fn unfit(&self, now: UnixTime) -> Option<Unfit> {
        let Some(claims) = self.claims else { return Some(Unfit::Unreadable) };
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        if !claims.may_issue {
            Some(Unfit::NoAuthority)
        } else if !claims.is_for_servers {
            Some(Unfit::Purpose)
        } else if now > claims.until {
            Some(Unfit::Expired)
        } else if now < claims.from {
            Some(Unfit::NotYet)
        } else {
            None
        }
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
        || matches!(Refused::of(refused), Some(Refused::Issuer(_)))
}
