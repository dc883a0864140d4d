//! What we read of a certificate ourselves, whatever else is in it: its parts, its key, and how that is named in words.

use std::fmt;

use super::der::{BIT_STRING, Element, INTEGER, OBJECT_IDENTIFIER, SEQUENCE, elements};

/// `[0]`, constructed
const VERSION: u8 = 0xA0;
/// `[2]`, constructed
const SALT_LENGTH: u8 = 0xA2;

/// What a `TBSCertificate` is made of: RFC 5280, section 4.1.
#[derive(Debug, Clone)]
pub struct Parts<'a> {
    /// Where it is 1, there is none.
    pub version: Option<Element<'a>>,
    pub issuer: Element<'a>,
    pub validity: Element<'a>,
    pub subject: Element<'a>,
    /// `subjectPublicKeyInfo`
    pub info: Element<'a>,
    /// Unique identifiers, and extensions.
    pub more: Vec<Element<'a>>,
}

impl<'a> Parts<'a> {
    /// Those of a certificate in DER. [`None`] where one is missing.
    pub fn of(certificate: &'a [u8]) -> Option<Self> {
        let certificate = Element::first(certificate)?.of(SEQUENCE)?.elements();
        let mut tbs = certificate.first()?.of(SEQUENCE)?.elements().into_iter().peekable();
        let version = tbs.next_if(|field| field.tag == VERSION);
        // serialNumber, signature
        let issuer = tbs.nth(2)?;
        let (validity, subject, info) = (tbs.next()?, tbs.next()?, tbs.next()?);
        Some(Self { version, issuer, validity, subject, info, more: tbs.collect() })
    }
}

/// The `SubjectPublicKeyInfo` of a certificate: RFC 5280, section 4.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey<'a> {
    pub kind: Kind,
    /// As the signature algorithms take it.
    pub bytes: &'a [u8],
    /// All of it, in DER.
    pub info: &'a [u8],
}

/// What kind of key it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// For RSA in whichever form, with so many bits.
    Rsa(usize),
    /// For RSASSA-PSS alone (RFC 4055), with so many bits.
    RsaPss(usize),
    P256,
    P384,
    P521,
    Ed25519,
    /// Any other, in words.
    Other(String),
}

impl<'a> PublicKey<'a> {
    /// That of a certificate in DER. [`None`] where it has no such thing at the usual place.
    pub fn of(certificate: &'a [u8]) -> Option<Self> {
        Self::in_info(Parts::of(certificate)?.info)
    }

    fn in_info(info: Element<'a>) -> Option<Self> {
        let [algorithm, key] = info.of(SEQUENCE)?.elements().try_into().ok()?;
        let [0, bytes @ ..] = key.of(BIT_STRING)?.content else { return None };
        let kind = Kind::new(&algorithm.of(SEQUENCE)?.elements(), bytes)?;
        Some(Self { kind, bytes, info: info.whole })
    }
}

impl Kind {
    /// Of an `AlgorithmIdentifier`'s elements, and the key.
    fn new(algorithm: &[Element<'_>], key: &[u8]) -> Option<Self> {
        let identifier = algorithm.first()?.of(OBJECT_IDENTIFIER)?.content;
        Some(match identifier {
            oid::RSA_ENCRYPTION => Self::Rsa(modulus_bits(key)?),
            oid::RSASSA_PSS => Self::RsaPss(modulus_bits(key)?),
            // Without compression (SEC 1, section 2.3.3), as ring wants it.
            oid::EC_PUBLIC_KEY if key.first() == Some(&4) => match curve(algorithm).unwrap_or_default() {
                oid::P256 => Self::P256,
                oid::P384 => Self::P384,
                oid::P521 => Self::P521,
                _ => Self::Other(in_words(algorithm)),
            },
            oid::EC_PUBLIC_KEY => Self::Other(format!("{} in compressed form", in_words(algorithm))),
            oid::ED25519 => Self::Ed25519,
            _ => Self::Other(in_words(algorithm)),
        })
    }
}

/// An `AlgorithmIdentifier`, without its tag and length, of a key or a signature: as people know it.
pub fn algorithm_in_words(identifier: &[u8]) -> String {
    in_words(&elements(identifier))
}

fn in_words(algorithm: &[Element<'_>]) -> String {
    let Some(identifier) = algorithm.first() else { return "an unnamed algorithm".to_owned() };
    match identifier.content {
        oid::EC_PUBLIC_KEY => match curve(algorithm) {
            Some(curve) => format!("ECDSA on {}", oid::name(curve)),
            None => "ECDSA on a curve without a name".to_owned(),
        },
        oid::RSASSA_PSS => match salt_length(algorithm) {
            Some(length) => format!("RSA-PSS with a salt of {length} bytes"),
            None => "RSA-PSS".to_owned(),
        },
        identifier => oid::name(identifier),
    }
}

fn curve<'a>(algorithm: &[Element<'a>]) -> Option<&'a [u8]> {
    Some(algorithm.get(1)?.of(OBJECT_IDENTIFIER)?.content)
}

/// RFC 4055, section 3.1: `RSASSA-PSS-params`.
fn salt_length(algorithm: &[Element<'_>]) -> Option<usize> {
    let parameters = algorithm.get(1)?.of(SEQUENCE)?.elements();
    let Some(salt) = parameters.iter().find(|parameter| parameter.tag == SALT_LENGTH) else {
        return Some(20);
    };
    let digits = salt.elements().first()?.of(INTEGER)?.content;
    Some(digits.iter().take(4).fold(0, |length, digit| length << 8 | usize::from(*digit)))
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa(bits) => write!(f, "RSA with {bits} bits"),
            Self::RsaPss(bits) => write!(f, "RSA-PSS with {bits} bits"),
            Self::P256 => f.write_str("ECDSA on P-256"),
            Self::P384 => f.write_str("ECDSA on P-384"),
            Self::P521 => f.write_str("ECDSA on P-521"),
            Self::Ed25519 => f.write_str("Ed25519"),
            Self::Other(name) => f.write_str(name),
        }
    }
}

/// Of an `RSAPublicKey`.
fn modulus_bits(key: &[u8]) -> Option<usize> {
    let modulus = Element::first(key)?.of(SEQUENCE)?.elements().first()?.of(INTEGER)?.content;
    let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
    let first = modulus.get(zeros)?;
    Some((modulus.len() - zeros) * 8 - first.leading_zeros() as usize)
}

/// Object identifiers, as DER has them.
mod oid {
    use std::fmt::Write as _;

    pub const RSA_ENCRYPTION: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 1];
    pub const RSASSA_PSS: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 10];
    pub const EC_PUBLIC_KEY: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 2, 1];
    pub const P256: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 3, 1, 7];
    pub const P384: &[u8] = &[0x2B, 0x81, 4, 0, 34];
    pub const P521: &[u8] = &[0x2B, 0x81, 4, 0, 35];
    pub const ED25519: &[u8] = &[0x2B, 0x65, 112];

    /// Those that people may have.
    const NAMES: [(&[u8], &str); 23] = [
        (RSA_ENCRYPTION, "RSA"),
        (&[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 4], "RSA with MD5"),
        (&[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 5], "RSA with SHA-1"),
        (&[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 14], "RSA with SHA-224"),
        (&[0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 1], "ECDSA with SHA-1"),
        (&[0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 1], "ECDSA with SHA-224"),
        (&[0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 2], "ECDSA with SHA-256"),
        (&[0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 3], "ECDSA with SHA-384"),
        (&[0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 4], "ECDSA with SHA-512"),
        (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 2], "DSA with SHA-256"),
        (P256, "P-256"),
        (P384, "P-384"),
        (P521, "P-521"),
        (ED25519, "Ed25519"),
        (&[0x2B, 0x65, 113], "Ed448"),
        (&[0x2A, 0x86, 0x48, 0xCE, 0x38, 4, 1], "DSA"),
        (&[0x2B, 0x81, 4, 0, 10], "secp256k1"),
        (&[0x2B, 0x24, 3, 3, 2, 8, 1, 1, 7], "brainpoolP256r1"),
        (&[0x2B, 0x24, 3, 3, 2, 8, 1, 1, 11], "brainpoolP384r1"),
        (&[0x2B, 0x24, 3, 3, 2, 8, 1, 1, 13], "brainpoolP512r1"),
        (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 17], "ML-DSA-44"),
        (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 18], "ML-DSA-65"),
        (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 19], "ML-DSA-87"),
    ];

    /// In words, or else in figures.
    pub fn name(identifier: &[u8]) -> String {
        match NAMES.iter().find(|(known, _)| *known == identifier) {
            Some((_, name)) => (*name).to_owned(),
            None => figures(identifier),
        }
    }

    /// X.690, section 8.19.
    fn figures(identifier: &[u8]) -> String {
        let (mut text, mut arc) = ("OID".to_owned(), 0_u64);
        for byte in identifier {
            arc = arc << 7 | u64::from(byte & 0x7F);
            if byte & 0x80 != 0 {
                continue;
            }
            // Writing to a String does not fail.
            let _ = if text == "OID" {
                let first = (arc / 40).min(2);
                write!(text, " {first}.{}", arc - first * 40)
            } else {
                write!(text, ".{arc}")
            };
            arc = 0;
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        [&[tag, u8::try_from(content.len()).expect("short")][..], &content].concat()
    }

    fn certificate(algorithm: &[u8], key: &[u8], version: Option<&[u8]>) -> Vec<u8> {
        let info = tlv(SEQUENCE, &[&tlv(SEQUENCE, &[algorithm]), &tlv(BIT_STRING, &[&[0], key])]);
        let version = version.map(|version| tlv(VERSION, &[&tlv(INTEGER, &[version])])).unwrap_or_default();
        let filler = tlv(SEQUENCE, &[]);
        let serial = tlv(INTEGER, &[&[1]]);
        let tbs = tlv(SEQUENCE, &[&version, &serial, &filler, &filler, &filler, &filler, &info]);
        tlv(SEQUENCE, &[&tbs, &filler])
    }

    fn kind(algorithm: &[u8], key: &[u8]) -> Option<Kind> {
        let certificates = [certificate(algorithm, key, None), certificate(algorithm, key, Some(&[2]))];
        let [old, new] = certificates.each_ref().map(|one| PublicKey::of(one).map(|key| key.kind));
        assert_eq!(old, new, "version 1 has no version");
        new
    }

    fn oid(identifier: &[u8]) -> Vec<u8> {
        tlv(OBJECT_IDENTIFIER, &[identifier])
    }

    #[test]
    fn a_key_is_known_by_its_algorithm_its_curve_or_its_length() {
        let on = |curve: &[u8]| [oid(oid::EC_PUBLIC_KEY), oid(curve)].concat();
        let rsa = |modulus: &[u8]| tlv(SEQUENCE, &[&tlv(INTEGER, &[modulus]), &tlv(INTEGER, &[&[3]])]);
        let null = [5, 0];
        for (algorithm, key, expected) in [
            (on(oid::P256), vec![4, 1], "ECDSA on P-256"),
            (on(oid::P384), vec![4, 1], "ECDSA on P-384"),
            (on(oid::P521), vec![4, 1], "ECDSA on P-521"),
            (on(oid::P256), vec![2, 1], "ECDSA on P-256 in compressed form"),
            (on(&[0x2B, 0x81, 4, 0, 10]), vec![4, 1], "ECDSA on secp256k1"),
            (on(&[0x2B, 0x81, 4, 0, 33]), vec![4, 1], "ECDSA on OID 1.3.132.0.33"),
            (
                [oid(oid::EC_PUBLIC_KEY), tlv(SEQUENCE, &[])].concat(),
                vec![4],
                "ECDSA on a curve without a name",
            ),
            (oid(oid::ED25519), vec![1], "Ed25519"),
            (oid(&[0x2B, 0x65, 113]), vec![1], "Ed448"),
            (oid(&[0x88, 0x37, 3]), vec![1], "OID 2.999.3"),
            ([oid(oid::RSA_ENCRYPTION), null.to_vec()].concat(), rsa(&[0, 0x80, 0]), "RSA with 16 bits"),
            (oid(oid::RSA_ENCRYPTION), rsa(&[1, 0]), "RSA with 9 bits"),
            (oid(oid::RSASSA_PSS), rsa(&[0, 0xFF]), "RSA-PSS with 8 bits"),
        ] {
            assert_eq!(kind(&algorithm, &key).map(|kind| kind.to_string()).as_deref(), Some(expected));
        }
    }

    #[test]
    fn how_something_is_signed_is_told_in_words() {
        let salt = |length: &[u8]| tlv(SEQUENCE, &[&tlv(SALT_LENGTH, &[&tlv(INTEGER, &[length])])]);
        for (algorithm, expected) in [
            (oid(&[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 5]), "RSA with SHA-1"),
            ([oid(oid::RSASSA_PSS), salt(&[0, 222])].concat(), "RSA-PSS with a salt of 222 bytes"),
            ([oid(oid::RSASSA_PSS), tlv(SEQUENCE, &[])].concat(), "RSA-PSS with a salt of 20 bytes"),
            (oid(oid::RSASSA_PSS), "RSA-PSS"),
            (Vec::new(), "an unnamed algorithm"),
        ] {
            assert_eq!(algorithm_in_words(&algorithm), expected);
        }
    }

    #[test]
    fn what_is_cut_off_or_no_certificate_has_no_key() {
        let whole = certificate(&oid(oid::ED25519), &[1, 2, 3], Some(&[2]));
        assert_eq!(PublicKey::of(&whole).map(|key| key.bytes), Some(&[1, 2, 3][..]));
        for length in 0..whole.len() {
            assert_eq!(PublicKey::of(&whole[..length]), None, "{length}");
        }
        for nonsense in
            [&[][..], &[0x30], &[0x30, 0x84, 0xFF, 0xFF, 0xFF, 0xFF], &[0x30, 0x80, 0, 0], &[0x31, 0]]
        {
            assert_eq!(PublicKey::of(nonsense), None);
        }
        let _ = kind(&[], &[]);
    }
}
