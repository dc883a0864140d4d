//! Services that sign the handshake as their key may, but not in this version of TLS.

use std::fmt;
use std::fs;
use std::sync::Arc;

use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::ecdsa::{Signature, SigningKey as OnP256};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};
use rustls::sign::{Signer, SigningKey};
use rustls::version::{TLS12, TLS13};
use rustls::{Error, SignatureAlgorithm, SignatureScheme, SupportedProtocolVersion};

use super::super::provider;
use super::issuing::{Issuing, RSA};
use super::{HEALTHY, probe};
use crate::probe::testing::authority::Authority;

/// From a message to its signature.
type Sign = dyn Fn(&[u8]) -> Vec<u8> + Send + Sync;

/// Signs in one way, whatever it is asked for.
#[derive(Clone)]
struct Insists {
    scheme: SignatureScheme,
    algorithm: SignatureAlgorithm,
    sign: Arc<Sign>,
}

impl fmt::Debug for Insists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "insists on {:?}", self.scheme)
    }
}

impl SigningKey for Insists {
    fn choose_scheme(&self, _offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        Some(Box::new(self.clone()))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }
}

impl Signer for Insists {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        Ok((self.sign)(message))
    }

    fn scheme(&self) -> SignatureScheme {
        self.scheme
    }
}

/// A point of P-256, uncompressed.
struct Point(Vec<u8>);

impl PublicKeyData for Point {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

/// The reasons of probes that trust the authority, and anybody.
fn reasons(
    public: &impl PublicKeyData,
    signing: &Insists,
    version: &'static SupportedProtocolVersion,
) -> [String; 2] {
    let authority = Authority::new();
    let trusting: [&[&str]; 2] = [&["--ca-file", authority.path()], &["--insecure"]];
    trusting.map(|trust| {
        let config = authority.server_signing(&["127.0.0.1"], public, Arc::new(signing.clone()), version);
        probe("127.0.0.1", config, trust)
    })
}

const REFUSED: &str =
    "TLS: the service has signed the handshake in a way that TLS 1.3 does not permit with its key";

#[test]
fn a_curve_that_is_not_the_schemes_is_for_tls_1_2_alone() {
    let key = OnP256::from_slice(&[7; 32]).expect("a number below the curve's order");
    let public = Point(key.verifying_key().to_sec1_point(false).as_bytes().to_vec());
    let insists = Insists {
        scheme: SignatureScheme::ECDSA_NISTP384_SHA384,
        algorithm: SignatureAlgorithm::ECDSA,
        // ring would sign with SHA-256 alone.
        sign: Arc::new(move |message| {
            let digest = ring::digest::digest(&ring::digest::SHA384, message);
            let signature: Signature = key.sign_prehash(digest.as_ref()).expect("a signature");
            signature.to_der().as_bytes().to_vec()
        }),
    };
    assert_eq!(reasons(&public, &insists, &TLS12), [HEALTHY; 2]);
    assert_eq!(reasons(&public, &insists, &TLS13), [REFUSED; 2]);
}

#[test]
fn pkcs_1_is_for_tls_1_2_alone() {
    if !Issuing::is_possible() {
        eprintln!("skipped: there is no openssl");
        return;
    }
    let pem = fs::read_to_string(Issuing::new().key(RSA, "server").file).expect("a key");
    let public = KeyPair::from_pem(&pem).expect("a key");
    let key = rustls::pki_types::PrivateKeyDer::try_from(public.serialize_der()).expect("a key");
    let key = provider().key_provider.load_private_key(key).expect("a key");
    let signer = key.choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256]).expect("RSA");
    let insists = Insists {
        scheme: signer.scheme(),
        algorithm: SignatureAlgorithm::RSA,
        sign: Arc::new(move |message| signer.sign(message).expect("a signature")),
    };
    assert_eq!(reasons(&public, &insists, &TLS12), [HEALTHY; 2]);
    assert_eq!(reasons(&public, &insists, &TLS13), [REFUSED; 2]);
}
