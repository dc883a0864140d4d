//! What went wrong with TLS, in words.

use std::io;

use rustls::{AlertDescription, CertificateError, PeerMisbehaved};

use super::tls::{Refused, SUPPORTED};
use crate::words::outcome::{Cause, Reason};

/// The reason in an error of TLS; [`None`] for any other error.
pub fn reason(error: &io::Error) -> Option<Reason> {
    let words = match error.get_ref()?.downcast_ref::<rustls::Error>() {
        Some(error) => in_words(error),
        None => in_words(&alert_in(&error.to_string())?),
    };
    Some(Reason::new(Cause::Tls, words))
}

/// h2 keeps of an error only what it says.
fn alert_in(text: &str) -> Option<rustls::Error> {
    let mut alerts = (0..=u8::MAX).map(|number| rustls::Error::AlertReceived(number.into()));
    text.starts_with("received fatal alert").then(|| alerts.find(|alert| alert.to_string() == text))?
}

/// The reason where the service has asked who we are, and refused then: whoever it got no certificate from, or the one that
/// it got. [`None`] where that is not why.
pub fn refusal(reason: &Reason, has_certificate: bool) -> Option<Reason> {
    // A reason keeps only its words.
    let said = reason.to_string();
    let is_it = |alert: &AlertDescription| said == in_words(&rustls::Error::AlertReceived(*alert));
    let alert = (0..=u8::MAX).map(AlertDescription::from).find(is_it)?;
    let why = why_refused(alert, has_certificate)?;
    Some(Reason::new(
        Cause::Tls,
        if has_certificate {
            format!("TLS: the service refuses the certificate of --cert{why}")
        } else {
            format!("TLS: the service refuses clients without a certificate{why}")
        },
    ))
}

fn in_words(error: &rustls::Error) -> String {
    format!("TLS: {}", explain(error))
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

/// RFC 8446, section 6.2. Which alert it is that says so differs: OpenSSL's is `handshake_failure` in TLS 1.2, and Go's is
/// `bad_certificate`.
fn why_refused(alert: AlertDescription, has_certificate: bool) -> Option<&'static str> {
    use AlertDescription as A;
    Some(match alert {
        A::CertificateRequired
        | A::NoCertificate
        | A::BadCertificate
        | A::UnsupportedCertificate
        | A::CertificateUnknown
        | A::UnknownCA
        | A::AccessDenied
        | A::HandshakeFailure
            if !has_certificate =>
        {
            "; give one with --cert and --key"
        }
        _ if !has_certificate => return None,
        A::UnsupportedCertificate => ": it is not of a supported kind",
        A::CertificateRevoked => ": it is revoked",
        A::CertificateExpired => ": it has expired",
        A::UnknownCA => ": it does not know the issuer; issue it by one that the service trusts",
        A::AccessDenied => ": it may not come in",
        A::DecryptError => ": its key is another",
        A::CertificateRequired | A::BadCertificate | A::CertificateUnknown | A::HandshakeFailure => "",
        _ => return None,
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_after_a_certificate_was_asked_for_is_about_that_only_where_it_can_be() {
        let none =
            Some("TLS: the service refuses clients without a certificate; give one with --cert and --key");
        let ours = |why: &str| Some(format!("TLS: the service refuses the certificate of --cert{why}"));
        let unknown = ": it does not know the issuer; issue it by one that the service trusts";
        for (alert, without, with) in [
            (AlertDescription::CertificateRequired, none, ours("")),
            (AlertDescription::BadCertificate, none, ours("")),
            (AlertDescription::CertificateUnknown, none, ours("")),
            (AlertDescription::HandshakeFailure, none, ours("")),
            (AlertDescription::UnsupportedCertificate, none, ours(": it is not of a supported kind")),
            (AlertDescription::UnknownCA, none, ours(unknown)),
            (AlertDescription::AccessDenied, none, ours(": it may not come in")),
            (AlertDescription::NoCertificate, none, None),
            (AlertDescription::CertificateRevoked, None, ours(": it is revoked")),
            (AlertDescription::CertificateExpired, None, ours(": it has expired")),
            (AlertDescription::DecryptError, None, ours(": its key is another")),
            (AlertDescription::InternalError, None, None),
            (AlertDescription::ProtocolVersion, None, None),
            (AlertDescription::UnrecognisedName, None, None),
            (AlertDescription::NoApplicationProtocol, None, None),
            (AlertDescription::Unknown(200), None, None),
        ] {
            let error = io::Error::other(rustls::Error::AlertReceived(alert));
            let reason = reason(&error).expect("a reason");
            let said = |has_certificate| refusal(&reason, has_certificate).map(|reason| reason.to_string());
            assert_eq!(said(false).as_deref(), without, "{alert:?}");
            assert_eq!(said(true), with, "{alert:?}");
        }
        let other = Reason::new(Cause::Tls, "TLS: certificate has expired");
        assert_eq!(refusal(&other, true), None);
    }
}
