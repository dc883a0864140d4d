//! TLS below a question: whom a client trusts, and by which name it asks.

use std::io;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::run::RunError;
use crate::scenario::observe::Trust;
use crate::scenario::service::Source;

/// A client's part of it.
pub struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Tls {
    /// That of a client who asks for `host`. A file with certificates is read with `file`.
    pub fn new(
        trust: &Trust,
        host: &str,
        file: impl Fn(&Source) -> Result<Vec<u8>, RunError>,
    ) -> Result<Self, RunError> {
        let wrong = |what: String| RunError::Certificates(what);
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(error.to_string()))?;
        let mut roots = RootCertStore::empty();
        match trust {
            Trust::Anybody => {}
            Trust::Host => {
                let found = rustls_native_certs::load_native_certs();
                if roots.add_parsable_certificates(found.certs).0 == 0 {
                    let errors = found.errors.first().map(|error| format!(": {error}")).unwrap_or_default();
                    return Err(wrong(format!(
                        "this host has no certificates of authorities{errors}. Install them (Debian: ca-certificates), or say \
                         ca = \"FILE\" or insecure = true in [observe]"
                    )));
                }
            }
            Trust::File(source) => {
                let (path, text) = (source.name(), file(source)?);
                let read = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
                let read =
                    read.map_err(|error| wrong(format!("{path} is no certificate in PEM: {error}")))?;
                if read.is_empty() {
                    return Err(wrong(format!("{path} has no certificate in PEM")));
                }
                for certificate in read {
                    roots.add(certificate).map_err(|error| wrong(format!("{path}: {error}")))?;
                }
            }
        }
        let mut config = if *trust == Trust::Anybody {
            let verifier = Arc::new(Unchecked(provider));
            builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
        } else {
            builder.with_root_certificates(roots).with_no_client_auth()
        };
        // Whoever asks is a stranger each time.
        config.resumption = Resumption::disabled();
        let name =
            ServerName::try_from(host.to_owned()).map_err(|error| wrong(format!("{host}: {error}")))?;
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), name })
    }

    /// Over a connection.
    pub async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> io::Result<TlsStream<S>> {
        let shaken = self.connector.connect(self.name.clone(), stream).await;
        shaken.map_err(|error| match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(error @ rustls::Error::InvalidCertificate(_)) => {
                io::Error::other(format!("{error} ([observe] has ca = \"FILE\", and insecure = true)"))
            }
            Some(error) => io::Error::other(format!("no TLS: {error}")),
            None if error.kind() == io::ErrorKind::UnexpectedEof => {
                io::Error::other("closed within the TLS handshake")
            }
            None => error,
        })
    }
}

/// Takes any certificate, also one that cannot be read.
#[derive(Debug)]
struct Unchecked(Arc<CryptoProvider>);

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    /// What nobody checks may be of any kind.
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let mut schemes = self.0.signature_verification_algorithms.supported_schemes();
        schemes.extend([
            SignatureScheme::ECDSA_NISTP521_SHA512,
            SignatureScheme::ED448,
            SignatureScheme::RSA_PKCS1_SHA1,
        ]);
        schemes
    }
}

#[cfg(test)]
mod tests;
