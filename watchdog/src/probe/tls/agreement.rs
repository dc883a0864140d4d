//! Key agreement on P-521, which ring has not. An OpenSSL of TLS 1.2 shows its P-521 certificate to none who cannot.

use p521::elliptic_curve::sec1::ToSec1Point;
use p521::{PublicKey, SecretKey, ecdh};
use ring::rand::{SecureRandom, SystemRandom};
use rustls::crypto::{ActiveKeyExchange, GetRandomFailed, SharedSecret, SupportedKxGroup};
use rustls::{Error, NamedGroup, PeerMisbehaved};

/// The group.
#[derive(Debug)]
pub struct P521;

struct Begun {
    secret: SecretKey,
    /// The point, uncompressed.
    public: Box<[u8]>,
}

impl SupportedKxGroup for P521 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let random = SystemRandom::new();
        let secret = loop {
            let mut number = [0; 66];
            random.fill(&mut number).map_err(|_| GetRandomFailed)?;
            // Of 521 bits. All but one of 2^257 are below the order of the group.
            number[0] &= 1;
            if let Ok(secret) = SecretKey::from_slice(&number) {
                break secret;
            }
        };
        let public = secret.public_key().to_sec1_point(false).as_bytes().into();
        Ok(Box::new(Begun { secret, public }))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::secp521r1
    }
}

impl ActiveKeyExchange for Begun {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        let peer = match peer {
            [4, ..] => PublicKey::from_sec1_bytes(peer).ok(),
            _ => None,
        };
        let peer = peer.ok_or(PeerMisbehaved::InvalidKeyShare)?;
        let shared = ecdh::diffie_hellman(self.secret.to_nonzero_scalar(), peer.as_affine());
        Ok(shared.raw_secret_bytes().as_slice().into())
    }

    fn pub_key(&self) -> &[u8] {
        &self.public
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::secp521r1
    }
}
