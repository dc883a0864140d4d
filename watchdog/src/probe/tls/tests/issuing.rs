//! Certificates of every kind, right and wrong: written byte by byte, and signed by openssl.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// Keys and certificates in a directory of their own.
pub struct Issuing {
    directory: TempDir,
}

/// A key as `openssl genpkey` makes it, and its algorithm's identifier for signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    pub name: &'static str,
    genpkey: &'static [&'static str],
}

macro_rules! key {
    ($name:ident, $text:literal, $($option:literal),+ $(,)?) => {
        pub const $name: Key = Key { name: $text, genpkey: &[$($option),+] };
    };
}

key!(RSA, "rsa2048", "RSA", "rsa_keygen_bits:2048");
key!(RSA_1024, "rsa1024", "RSA", "rsa_keygen_bits:1024");
key!(PSS, "rsa-pss", "RSA-PSS", "rsa_keygen_bits:2048");
key!(
    PSS_SHA256,
    "rsa-pss for sha256",
    "RSA-PSS",
    "rsa_keygen_bits:2048",
    "rsa_pss_keygen_md:sha256",
    "rsa_pss_keygen_mgf1_md:sha256",
    "rsa_pss_keygen_saltlen:32"
);
key!(P256, "p256", "EC", "ec_paramgen_curve:P-256");
key!(P384, "p384", "EC", "ec_paramgen_curve:P-384");
key!(P521, "p521", "EC", "ec_paramgen_curve:P-521");
key!(SECP256K1, "secp256k1", "EC", "ec_paramgen_curve:secp256k1");
key!(ED25519, "ed25519", "ED25519");
key!(ED448, "ed448", "ED448");

/// How a certificate is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signed {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
    /// RSA-PSS with SHA-256 and a salt of so many bytes.
    Pss(u8),
    /// Ed25519 and Ed448.
    Pure,
}

/// What is in a certificate.
#[derive(Debug, Clone)]
pub struct Content {
    pub version: u8,
    pub serial: &'static [u8],
    /// `YYYYMMDD`
    pub from: &'static str,
    pub to: &'static str,
    /// The common name.
    pub subject: &'static str,
    pub extensions: Vec<Vec<u8>>,
}

/// A key, and the file that it is in.
#[derive(Debug, Clone)]
pub struct Holder {
    pub key: Key,
    pub file: PathBuf,
}

/// A certificate and who holds its key.
#[derive(Debug, Clone)]
pub struct Issued {
    pub holder: Holder,
    pub subject: &'static str,
    pub certificate: Vec<u8>,
}

impl Issuing {
    pub fn new() -> Self {
        Self { directory: TempDir::new().expect("a directory") }
    }

    /// Whether there is an openssl.
    pub fn is_possible() -> bool {
        Command::new("openssl").arg("version").stdout(Stdio::null()).status().is_ok()
    }

    /// A file of `pems`.
    pub fn file(&self, name: &str, pems: &[&[u8]]) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::write(&path, pems.iter().map(|der| pem(der)).collect::<String>()).expect("to write");
        path
    }

    /// `whose` key of that kind; made where there is none yet.
    pub fn key(&self, key: Key, whose: &str) -> Holder {
        let file = self.directory.path().join(format!("{whose} {}.key", key.name));
        if !file.exists() {
            let [algorithm, options @ ..] = key.genpkey else { unreachable!() };
            let mut command = Command::new("openssl");
            command.args(["genpkey", "-quiet", "-algorithm", algorithm, "-out"]).arg(&file);
            for option in options {
                command.args(["-pkeyopt", option]);
            }
            output(&mut command);
        }
        Holder { key, file }
    }

    /// A certificate for `holder`, signed by `issuer`, or by the holder.
    pub fn issue(
        &self,
        holder: &Holder,
        content: &Content,
        issuer: Option<&Issued>,
        signed: Signed,
    ) -> Issued {
        let (issuer_name, by) =
            issuer.map_or((content.subject, holder), |issuer| (issuer.subject, &issuer.holder));
        let mut read = Command::new("openssl");
        let info = output(read.args(["pkey", "-pubout", "-outform", "DER", "-in"]).arg(&holder.file));
        let algorithm = signed.identifier(by.key);
        let mut fields = Vec::new();
        if content.version > 1 {
            fields.push(der(0xA0, &[der(2, &[vec![content.version - 1]])]));
        }
        fields.push(der(2, &[content.serial.to_vec()]));
        fields.push(algorithm.clone());
        fields.push(name(issuer_name));
        fields.push(der(0x30, &[time(content.from), time(content.to)]));
        fields.push(name(content.subject));
        fields.push(info);
        if !content.extensions.is_empty() {
            fields.push(der(0xA3, &[der(0x30, &content.extensions)]));
        }
        let tbs = der(0x30, &fields);
        let signature = [vec![0], self.sign(&by.file, signed, &tbs)].concat();
        let certificate = der(0x30, &[tbs, algorithm, der(3, &[signature])]);
        Issued { holder: holder.clone(), subject: content.subject, certificate }
    }

    fn sign(&self, key: &Path, how: Signed, message: &[u8]) -> Vec<u8> {
        let file = self.directory.path().join(format!("{:?}.tbs", std::thread::current().id()));
        fs::write(&file, message).expect("to write");
        let mut command = Command::new("openssl");
        command.args(["pkeyutl", "-sign", "-rawin", "-inkey"]).arg(key).arg("-in").arg(&file);
        match how {
            Signed::Pure => {}
            Signed::Pss(salt) => {
                command.args(["-digest", "sha256", "-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt"]);
                command.arg(format!("rsa_pss_saltlen:{salt}"));
            }
            _ => {
                command.args(["-digest", how.digest()]);
            }
        }
        output(&mut command)
    }
}

impl Signed {
    fn digest(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha224 => "sha224",
            Self::Sha256 | Self::Pss(_) => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
            Self::Pure => "",
        }
    }

    /// The `AlgorithmIdentifier`.
    fn identifier(self, by: Key) -> Vec<u8> {
        const RSA: [u8; 8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1];
        const ECDSA: [u8; 6] = [0x2A, 0x86, 0x48, 0xCE, 0x3D, 4];
        const SHA256: [u8; 9] = [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
        let oid = |parts: &[&[u8]]| der(6, &[parts.concat()]);
        let null = der(5, &[]);
        if let Self::Pss(salt) = self {
            let hash = der(0x30, &[oid(&[&SHA256]), null]);
            let mask = der(0x30, &[oid(&[&RSA, &[8]]), hash.clone()]);
            let salt = if salt < 0x80 { vec![salt] } else { vec![0, salt] };
            let parameters = [der(0xA0, &[hash]), der(0xA1, &[mask]), der(0xA2, &[der(2, &[salt])])];
            return der(0x30, &[oid(&[&RSA, &[10]]), der(0x30, &parameters)]);
        }
        let ecdsa = |last: &[u8]| der(0x30, &[oid(&[&ECDSA, last])]);
        let rsa = |last: u8| der(0x30, &[oid(&[&RSA, &[last]]), null.clone()]);
        match (self, by.genpkey[0] == "EC") {
            (Self::Pure, _) => der(0x30, &[oid(&[&[0x2B, 0x65, if by == ED448 { 113 } else { 112 }]])]),
            (Self::Sha1, true) => ecdsa(&[1]),
            (Self::Sha224, true) => ecdsa(&[3, 1]),
            (Self::Sha384, true) => ecdsa(&[3, 3]),
            (Self::Sha512, true) => ecdsa(&[3, 4]),
            (_, true) => ecdsa(&[3, 2]),
            (Self::Md5, false) => rsa(4),
            (Self::Sha1, false) => rsa(5),
            (Self::Sha224, false) => rsa(14),
            (Self::Sha384, false) => rsa(12),
            (Self::Sha512, false) => rsa(13),
            (_, false) => rsa(11),
        }
    }
}

/// An element of DER.
pub fn der(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    let content = parts.concat();
    let length = content.len().to_be_bytes();
    let zeros = length.iter().take_while(|byte| **byte == 0).count();
    let length = &length[zeros.min(length.len() - 1)..];
    let mut element = vec![tag];
    if content.len() >= 0x80 {
        element.push(0x80 | u8::try_from(length.len()).expect("a byte"));
    }
    element.extend(length);
    [element, content].concat()
}

/// `id-ce`'s extension of that number.
pub fn extension(number: u8, is_critical: bool, value: Vec<u8>) -> Vec<u8> {
    extension_of(&[0x55, 0x1D, number], is_critical, value)
}

pub fn extension_of(oid: &[u8], is_critical: bool, value: Vec<u8>) -> Vec<u8> {
    let mut parts = vec![der(6, &[oid.to_vec()])];
    if is_critical {
        parts.push(der(1, &[vec![0xFF]]));
    }
    parts.push(der(4, &[value]));
    der(0x30, &parts)
}

fn name(common: &str) -> Vec<u8> {
    let pair = [der(6, &[vec![0x55, 4, 3]]), der(0x0C, &[common.as_bytes().to_vec()])];
    der(0x30, &[der(0x31, &[der(0x30, &pair)])])
}

/// `GeneralizedTime`, or `UTCTime` up to 2049 (RFC 5280, section 4.1.2.5).
fn time(date: &str) -> Vec<u8> {
    if date < "2050" {
        der(0x17, &[format!("{}000000Z", &date[2..]).into_bytes()])
    } else {
        der(0x18, &[format!("{date}000000Z").into_bytes()])
    }
}

fn pem(der: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in der.chunks(48) {
        for three in line.chunks(3) {
            let bits =
                three.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
            for digit in 0..4 {
                let shown = digit <= three.len();
                let value = (bits >> (18 - 6 * digit)) & 63;
                text.push(if shown { char::from(DIGITS[value as usize]) } else { '=' });
            }
        }
        text.push('\n');
    }
    text + "-----END CERTIFICATE-----\n"
}

fn output(command: &mut Command) -> Vec<u8> {
    let output = command.output().expect("openssl");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
