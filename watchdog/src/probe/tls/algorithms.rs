//! The signatures that are understood: what ring can, and what it lacks and services use, ECDSA on P-521, or with SHA-512.

use p256::ecdsa as on_p256;
use p384::ecdsa as on_p384;
use p521::ecdsa as on_p521;
use p521::ecdsa::signature::hazmat::PrehashVerifier;
use ring::digest;
use rustls::SignatureScheme;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id};
use webpki::ring as webpki_ring;

use super::certificate::Kind;

type Algorithm = &'static dyn SignatureVerificationAlgorithm;

/// In words, for who has another.
pub const SUPPORTED: &str = "supported are RSA with 2048 to 8192 bits (RSA-PSS with a salt as long as the hash), ECDSA on P-256, P-384 and P-521, \
    with SHA-256, -384 and -512, and Ed25519";

/// RFC 8446, section 4.2.3: signatures of a key that is for RSA-PSS alone. rustls has no names for them.
pub const RSA_PSS_PSS_SHA256: SignatureScheme = SignatureScheme::Unknown(0x0809);
pub const RSA_PSS_PSS_SHA384: SignatureScheme = SignatureScheme::Unknown(0x080A);
pub const RSA_PSS_PSS_SHA512: SignatureScheme = SignatureScheme::Unknown(0x080B);

/// What a handshake may be signed with, the best first, as rustls itself has it.
const SCHEMES: &[SignatureScheme] = &[
    SignatureScheme::ECDSA_NISTP384_SHA384,
    SignatureScheme::ECDSA_NISTP256_SHA256,
    SignatureScheme::ED25519,
    SignatureScheme::ECDSA_NISTP521_SHA512,
    SignatureScheme::RSA_PSS_SHA512,
    SignatureScheme::RSA_PSS_SHA384,
    SignatureScheme::RSA_PSS_SHA256,
    RSA_PSS_PSS_SHA512,
    RSA_PSS_PSS_SHA384,
    RSA_PSS_PSS_SHA256,
    SignatureScheme::RSA_PKCS1_SHA512,
    SignatureScheme::RSA_PKCS1_SHA384,
    SignatureScheme::RSA_PKCS1_SHA256,
];

/// What `--insecure` takes besides, as what it signs is not looked at: old ones, and new ones.
const UNVERIFIED: &[SignatureScheme] = &[
    SignatureScheme::ED448,
    SignatureScheme::ML_DSA_44,
    SignatureScheme::ML_DSA_65,
    SignatureScheme::ML_DSA_87,
    // RFC 8734: brainpoolP256r1, P384r1 and P512r1.
    SignatureScheme::Unknown(0x081A),
    SignatureScheme::Unknown(0x081B),
    SignatureScheme::Unknown(0x081C),
    SignatureScheme::RSA_PKCS1_SHA1,
    SignatureScheme::ECDSA_SHA1_Legacy,
];

/// For certificates.
pub static SUPPORTED_ALGORITHMS: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: &[
        webpki_ring::ECDSA_P256_SHA256,
        webpki_ring::ECDSA_P256_SHA384,
        &ECDSA_P256_SHA512,
        webpki_ring::ECDSA_P384_SHA256,
        webpki_ring::ECDSA_P384_SHA384,
        &ECDSA_P384_SHA512,
        &ECDSA_P521_SHA256,
        &ECDSA_P521_SHA384,
        &ECDSA_P521_SHA512,
        webpki_ring::ED25519,
        webpki_ring::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
        webpki_ring::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
        webpki_ring::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
        &PSS_SHA256,
        &PSS_SHA384,
        &PSS_SHA512,
        &PSS_SHA256_ONLY,
        &PSS_SHA384_ONLY,
        &PSS_SHA512_ONLY,
        webpki_ring::RSA_PKCS1_2048_8192_SHA256,
        webpki_ring::RSA_PKCS1_2048_8192_SHA384,
        webpki_ring::RSA_PKCS1_2048_8192_SHA512,
        webpki_ring::RSA_PKCS1_2048_8192_SHA256_ABSENT_PARAMS,
        webpki_ring::RSA_PKCS1_2048_8192_SHA384_ABSENT_PARAMS,
        webpki_ring::RSA_PKCS1_2048_8192_SHA512_ABSENT_PARAMS,
    ],
    // Handshakes are verified by `proof`.
    mapping: &[],
};

/// What the service is told that it may sign the handshake with.
pub fn schemes() -> Vec<SignatureScheme> {
    SCHEMES.to_vec()
}

/// The same for `--insecure`.
pub fn any_schemes() -> Vec<SignatureScheme> {
    [SCHEMES, UNVERIFIED].concat()
}

/// Whether anything that was signed with a key of this kind can be verified.
pub fn is_supported(kind: &Kind) -> bool {
    match kind {
        Kind::Rsa(bits) | Kind::RsaPss(bits) => (2048..=8192).contains(bits),
        Kind::P256 | Kind::P384 | Kind::P521 | Kind::Ed25519 => true,
        Kind::Other(_) => false,
    }
}

/// How a handshake that was signed with a key of this kind is verified, if we can. In TLS 1.2 the scheme does not say which curve.
pub fn of_handshake(kind: &Kind, scheme: SignatureScheme) -> Option<Algorithm> {
    use SignatureScheme as S;
    Some(match (kind, scheme) {
        (Kind::P256, S::ECDSA_NISTP256_SHA256) => webpki_ring::ECDSA_P256_SHA256,
        (Kind::P256, S::ECDSA_NISTP384_SHA384) => webpki_ring::ECDSA_P256_SHA384,
        (Kind::P256, S::ECDSA_NISTP521_SHA512) => &ECDSA_P256_SHA512,
        (Kind::P384, S::ECDSA_NISTP256_SHA256) => webpki_ring::ECDSA_P384_SHA256,
        (Kind::P384, S::ECDSA_NISTP384_SHA384) => webpki_ring::ECDSA_P384_SHA384,
        (Kind::P384, S::ECDSA_NISTP521_SHA512) => &ECDSA_P384_SHA512,
        (Kind::P521, S::ECDSA_NISTP256_SHA256) => &ECDSA_P521_SHA256,
        (Kind::P521, S::ECDSA_NISTP384_SHA384) => &ECDSA_P521_SHA384,
        (Kind::P521, S::ECDSA_NISTP521_SHA512) => &ECDSA_P521_SHA512,
        (Kind::Ed25519, S::ED25519) => webpki_ring::ED25519,
        (kind, _) if !is_supported(kind) => return None,
        (Kind::Rsa(_), S::RSA_PSS_SHA256) | (Kind::RsaPss(_), RSA_PSS_PSS_SHA256) => {
            webpki_ring::RSA_PSS_2048_8192_SHA256_LEGACY_KEY
        }
        (Kind::Rsa(_), S::RSA_PSS_SHA384) | (Kind::RsaPss(_), RSA_PSS_PSS_SHA384) => {
            webpki_ring::RSA_PSS_2048_8192_SHA384_LEGACY_KEY
        }
        (Kind::Rsa(_), S::RSA_PSS_SHA512) | (Kind::RsaPss(_), RSA_PSS_PSS_SHA512) => {
            webpki_ring::RSA_PSS_2048_8192_SHA512_LEGACY_KEY
        }
        (Kind::Rsa(_), S::RSA_PKCS1_SHA256) => webpki_ring::RSA_PKCS1_2048_8192_SHA256,
        (Kind::Rsa(_), S::RSA_PKCS1_SHA384) => webpki_ring::RSA_PKCS1_2048_8192_SHA384,
        (Kind::Rsa(_), S::RSA_PKCS1_SHA512) => webpki_ring::RSA_PKCS1_2048_8192_SHA512,
        _ => return None,
    })
}

/// Whether TLS 1.3 lets a key of this kind sign a handshake so: the curve is the scheme's, and RSA is RSA-PSS (RFC 8446, section
/// 4.2.3). rustls leaves that to whoever verifies.
pub fn is_for_tls13(kind: &Kind, scheme: SignatureScheme) -> bool {
    use SignatureScheme as S;
    match kind {
        Kind::P256 => scheme == S::ECDSA_NISTP256_SHA256,
        Kind::P384 => scheme == S::ECDSA_NISTP384_SHA384,
        Kind::P521 => scheme == S::ECDSA_NISTP521_SHA512,
        Kind::Ed25519 => scheme == S::ED25519,
        Kind::Rsa(_) => matches!(scheme, S::RSA_PSS_SHA256 | S::RSA_PSS_SHA384 | S::RSA_PSS_SHA512),
        Kind::RsaPss(_) => matches!(scheme, RSA_PSS_PSS_SHA256 | RSA_PSS_PSS_SHA384 | RSA_PSS_PSS_SHA512),
        // What nobody can verify here.
        Kind::Other(_) => true,
    }
}

/// ECDSA that ring has not.
#[derive(Debug)]
struct Ecdsa {
    key: AlgorithmIdentifier,
    signature: AlgorithmIdentifier,
    digest: &'static digest::Algorithm,
    /// Of a key, a digest and a signature.
    verify: fn(&[u8], &[u8], &[u8]) -> bool,
}

/// The one of a curve's crate; the crates share no type that this could be generic over.
macro_rules! verify {
    ($curve:ident) => {
        |key, digest, signature| {
            use $curve::{Signature, VerifyingKey};
            let Ok(key) = VerifyingKey::from_sec1_bytes(key) else { return false };
            Signature::from_der(signature)
                .is_ok_and(|signature| key.verify_prehash(digest, &signature).is_ok())
        }
    };
}

macro_rules! ecdsa {
    ($name:ident, $curve:ident, $key:ident, $signature:ident, $digest:ident) => {
        static $name: Ecdsa = Ecdsa {
            key: alg_id::$key,
            signature: alg_id::$signature,
            digest: &digest::$digest,
            verify: verify!($curve),
        };
    };
}

ecdsa!(ECDSA_P256_SHA512, on_p256, ECDSA_P256, ECDSA_SHA512, SHA512);
ecdsa!(ECDSA_P384_SHA512, on_p384, ECDSA_P384, ECDSA_SHA512, SHA512);
ecdsa!(ECDSA_P521_SHA256, on_p521, ECDSA_P521, ECDSA_SHA256, SHA256);
ecdsa!(ECDSA_P521_SHA384, on_p521, ECDSA_P521, ECDSA_SHA384, SHA384);
ecdsa!(ECDSA_P521_SHA512, on_p521, ECDSA_P521, ECDSA_SHA512, SHA512);

impl SignatureVerificationAlgorithm for Ecdsa {
    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.key
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.signature
    }

    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        let digest = digest::digest(self.digest, message);
        // A number: zeros in front change nothing, and the crates want half a field of it at least.
        let mut number = [0; 66];
        let number = match digest.as_ref() {
            short if short.len() < 48 => {
                number[66 - short.len()..].copy_from_slice(short);
                &number[..]
            }
            long => long,
        };
        if (self.verify)(key, number, signature) { Ok(()) } else { Err(InvalidSignature) }
    }
}

/// RSA-PSS by a key that is for nothing else (RFC 4055): like that by any key.
#[derive(Debug)]
struct Pss {
    key: AlgorithmIdentifier,
    like: Algorithm,
}

/// `id-RSASSA-PSS` without parameters: the key is for every hash.
const ANY_PSS: AlgorithmIdentifier =
    AlgorithmIdentifier::from_slice(&[6, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 10]);

static PSS_SHA256: Pss = Pss { key: ANY_PSS, like: webpki_ring::RSA_PSS_2048_8192_SHA256_LEGACY_KEY };
static PSS_SHA384: Pss = Pss { key: ANY_PSS, like: webpki_ring::RSA_PSS_2048_8192_SHA384_LEGACY_KEY };
static PSS_SHA512: Pss = Pss { key: ANY_PSS, like: webpki_ring::RSA_PSS_2048_8192_SHA512_LEGACY_KEY };
// Where the key is for one hash, its parameters are those of the signature.
static PSS_SHA256_ONLY: Pss = Pss { key: alg_id::RSA_PSS_SHA256, ..PSS_SHA256 };
static PSS_SHA384_ONLY: Pss = Pss { key: alg_id::RSA_PSS_SHA384, ..PSS_SHA384 };
static PSS_SHA512_ONLY: Pss = Pss { key: alg_id::RSA_PSS_SHA512, ..PSS_SHA512 };

impl SignatureVerificationAlgorithm for Pss {
    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.key
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.like.signature_alg_id()
    }

    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        self.like.verify_signature(key, message, signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_1_3_has_one_scheme_for_a_curve_and_rsa_pss_for_rsa() {
        use SignatureScheme as S;
        let pss = [S::RSA_PSS_SHA256, S::RSA_PSS_SHA384, S::RSA_PSS_SHA512];
        let pss_alone = [RSA_PSS_PSS_SHA256, RSA_PSS_PSS_SHA384, RSA_PSS_PSS_SHA512];
        for (kind, permitted) in [
            (Kind::P256, &[S::ECDSA_NISTP256_SHA256][..]),
            (Kind::P384, &[S::ECDSA_NISTP384_SHA384]),
            (Kind::P521, &[S::ECDSA_NISTP521_SHA512]),
            (Kind::Ed25519, &[S::ED25519]),
            (Kind::Rsa(2048), &pss),
            (Kind::RsaPss(2048), &pss_alone),
        ] {
            for scheme in any_schemes() {
                let expected = permitted.contains(&scheme);
                assert_eq!(is_for_tls13(&kind, scheme), expected, "{kind} {scheme:?}");
                // What is permitted can be verified.
                assert!(!expected || of_handshake(&kind, scheme).is_some(), "{kind} {scheme:?}");
            }
        }
        let unknown = Kind::Other("Ed448".to_owned());
        assert!(any_schemes().into_iter().all(|scheme| is_for_tls13(&unknown, scheme)));
    }
}
