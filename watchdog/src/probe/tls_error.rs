//! What went wrong with TLS, in words.

use std::io;

use rustls::{AlertDescription, CertificateError, PeerMisbehaved};

use super::tls::{Refused, SUPPORTED};
use crate::words::outcome::{Cause, Reason};

/// The reason in an error of TLS; [`None`] for any other error.
pub fn reason(error: &io::Error) -> Option<Reason> {
    let explained = match error.get_ref()?.downcast_ref::<rustls::Error>() {
        Some(error) => explain(error),
        None => explain(&alert_in(&error.to_string())?),
    };
    Some(Reason::new(Cause::Tls, format!("TLS: {explained}")))
}

/// h2 keeps of an error only what it says.
fn alert_in(text: &str) -> Option<rustls::Error> {
    let mut alerts = (0..=u8::MAX).map(|number| rustls::Error::AlertReceived(number.into()));
    text.starts_with("received fatal alert").then(|| alerts.find(|alert| alert.to_string() == text))?
}

/// Whether the service itself ended it, and said why.
pub fn is_alert(error: &io::Error) -> bool {
    let error = error.get_ref().and_then(|error| error.downcast_ref());
    matches!(error, Some(rustls::Error::AlertReceived(_)))
}

fn explain(error: &rustls::Error) -> String {
    if let rustls::Error::InvalidCertificate(error) = error
        && let Some(refused) = Refused::of(error)
    {
        return refused.to_string();
    }
    match error {
        rustls::Error::InvalidCertificate(error) => match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "certificate has expired".to_owned()
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "certificate is not valid yet".to_owned()
            }
            CertificateError::UnknownIssuer => "unknown issuer, also after what is trusted was read again; give it with --ca-file".to_owned(),
            CertificateError::NotValidForName => "certificate is for another name".to_owned(),
            CertificateError::NotValidForNameContext { expected, presented } => {
                let names = if presented.is_empty() { "no name (a common name is none)".to_owned() } else { names(presented) };
                format!("certificate is for {names}, not for {}", expected.to_str())
            }
            CertificateError::BadSignature => {
                "signed by another issuer of the same name, also after what is trusted was read again; give the right one \
                with --ca-file"
                    .to_owned()
            }
            CertificateError::Revoked => "certificate is revoked".to_owned(),
            error if is_authority(error) => {
                "the certificate is one of an authority, not of a server; to trust just this one give it with --ca-file"
                    .to_owned()
            }
            error => format!("certificate refused: {error}"),
        },
        rustls::Error::InvalidMessage(_) => "the service does not speak it; is it plain http://?".to_owned(),
        rustls::Error::AlertReceived(
            alert @ (AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::DecryptError),
        ) => format!("the service refuses the certificate of --cert{}", why_refused(*alert)),
        rustls::Error::AlertReceived(AlertDescription::UnrecognisedName) => {
            "the service goes by another name; give that with --server-name".to_owned()
        }
        // The service looks for a certificate that we can verify, and has none: RFC 8446, section 4.4.2.2.
        rustls::Error::AlertReceived(AlertDescription::HandshakeFailure) => format!(
            "the service has nothing in common with this probe, be it the kind of its key, the cipher or the group; {SUPPORTED}, \
            over TLS 1.2 and 1.3"
        ),
        rustls::Error::AlertReceived(AlertDescription::ProtocolVersion) => {
            "the service wants another version; supported are TLS 1.2 and 1.3".to_owned()
        }
        rustls::Error::PeerMisbehaved(PeerMisbehaved::SignedKxWithWrongAlgorithm) => format!(
            "the service's key is for RSA-PSS alone, or Ed448, which is not supported over TLS 1.2; have it speak TLS 1.3, or give \
            it another key; {SUPPORTED}"
        ),
        rustls::Error::AlertReceived(alert) => format!("the service refuses: {alert:?}"),
        error => error.to_string(),
    }
}

/// RFC 8446, section 6.2.
fn why_refused(alert: AlertDescription) -> &'static str {
    match alert {
        AlertDescription::UnsupportedCertificate => ": it is not of a supported kind",
        AlertDescription::CertificateRevoked => ": it is revoked",
        AlertDescription::CertificateExpired => ": it has expired",
        AlertDescription::UnknownCA => {
            ": it does not know the issuer; issue it by one that the service trusts"
        }
        AlertDescription::AccessDenied => ": it may not come in",
        AlertDescription::DecryptError => ": its key is another",
        _ => "",
    }
}

/// rustls gives names as it prints them, like `DnsName("a")`.
fn names(presented: &[String]) -> String {
    let bare = |name: &String| {
        let inner = name.split_once('(').and_then(|(_, inner)| inner.strip_suffix(')')).unwrap_or(name);
        inner.trim_matches('"').to_owned()
    };
    let mut names: Vec<String> = presented.iter().take(3).map(bare).collect();
    if presented.len() > names.len() {
        names.push("…".to_owned());
    }
    names.join(", ")
}

/// Whether a certificate is refused because it is one of an authority.
pub fn is_authority(error: &CertificateError) -> bool {
    let CertificateError::Other(other) = error else { return false };
    matches!(other.0.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}
