//! Certificates that are refused for what rustls says nothing of, or too much: in words, with what to do.

use std::fmt;
use std::sync::Arc;

use rustls::{CertificateError, Error, OtherError};

use super::algorithms::SUPPORTED;
use super::certificate::{Kind, algorithm_in_words};

/// Why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// The service's key is none that can be verified.
    Key(Kind),
    /// The key of an authority is none.
    Authority(Kind),
    /// A certificate is signed in a way that is none, in words.
    Signature(String),
    /// X.509 version 1 or 2.
    Version,
    CriticalExtension,
    /// It is not for servers.
    Purpose,
    /// An authority in its chain may not issue it.
    Chain,
    /// One that is trusted has issued it, and may not.
    Issuer(Unfit),
    /// Its issuer is unknown, and who is trusted cannot be read again: why.
    Unread(String),
    Unreadable,
    /// The handshake is signed with another key.
    Forged,
    /// The handshake is signed as no handshake of its version may be.
    Scheme,
}

/// Why a certificate that is trusted vouches for no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    NoAuthority,
    /// It is not for servers.
    Purpose,
    Expired,
    NotYet,
    Unreadable,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(kind) => write!(f, "its key is {kind}; {SUPPORTED}"),
            Self::Authority(kind) => write!(f, "the key of an authority is {kind}; {SUPPORTED}"),
            Self::Signature(how) => write!(f, "its certificate is signed with {how}; {SUPPORTED}"),
            Self::Version => f.write_str(
                "its certificate is of an old version of X.509, which can name no server; issue one of version 3, or give --insecure",
            ),
            Self::CriticalExtension => {
                f.write_str("its certificate has a critical extension that is not known; look at it with openssl x509")
            }
            Self::Purpose => f.write_str("its certificate is not for servers (extended key usage)"),
            Self::Chain => f.write_str("an authority in its chain may not issue such certificates"),
            Self::Issuer(why) => write!(f, "the certificate of its issuer is trusted, but {why}"),
            Self::Unread(why) => write!(f, "unknown issuer, as of what was trusted before; {why}"),
            Self::Unreadable => f.write_str("its certificate cannot be read; look at it with openssl x509"),
            Self::Forged => f.write_str("the service does not hold the key of its certificate"),
            Self::Scheme => {
                f.write_str("the service has signed the handshake in a way that TLS 1.3 does not permit with its key")
            }
        }
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoAuthority => {
                "is none of an authority (basicConstraints, keyUsage); give its own with --ca-file, or one of an authority"
            }
            Self::Purpose => "is none for servers (extended key usage)",
            Self::Expired => "has expired; give the new one with --ca-file",
            Self::NotYet => "is not valid yet",
            Self::Unreadable => "cannot be read; look at it with openssl x509",
        })
    }
}

impl std::error::Error for Refused {}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        CertificateError::Other(OtherError(Arc::new(refused))).into()
    }
}

impl Refused {
    /// What is in an error of rustls, if it is one that the others have no words for.
    pub fn of(error: &CertificateError) -> Option<Self> {
        Some(match error {
            CertificateError::UnsupportedSignatureAlgorithmContext { signature_algorithm_id, .. } => {
                Self::Signature(algorithm_in_words(signature_algorithm_id))
            }
            CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext {
                signature_algorithm_id,
                public_key_algorithm_id,
            } => Self::Signature(format!(
                "{} by a key of another kind, {}",
                algorithm_in_words(signature_algorithm_id),
                algorithm_in_words(public_key_algorithm_id)
            )),
            CertificateError::UnhandledCriticalExtension => Self::CriticalExtension,
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                Self::Purpose
            }
            CertificateError::BadEncoding => Self::Unreadable,
            CertificateError::Other(OtherError(other)) => {
                if let Some(refused) = other.downcast_ref::<Self>() {
                    return Some(refused.clone());
                }
                match other.downcast_ref::<webpki::Error>()? {
                    webpki::Error::UnsupportedCertVersion => Self::Version,
                    webpki::Error::UnsupportedCriticalExtension => Self::CriticalExtension,
                    webpki::Error::EndEntityUsedAsCa
                    | webpki::Error::NameConstraintViolation
                    | webpki::Error::PathLenConstraintViolated => Self::Chain,
                    webpki::Error::ExtensionValueInvalid
                    | webpki::Error::MalformedExtensions
                    | webpki::Error::InvalidSerialNumber
                    | webpki::Error::SignatureAlgorithmMismatch => Self::Unreadable,
                    _ => return None,
                }
            }
            _ => return None,
        })
    }
}
