//! Text that is compressed as it comes, and can be had whole at any time, with another in front of it.

use std::io::{self, Write as _};

use adler2::Adler32;
use flate2::Compression;
use flate2::write::DeflateEncoder;

/// RFC 1950: deflate, a window of 32 KiB, no dictionary.
const HEADER: [u8; 2] = [0x78, 0x9c];

/// What RFC 1950 counts modulo.
const MODULUS: u64 = 65_521;

/// Text, compressed.
pub struct Pack {
    encoder: DeflateEncoder<Vec<u8>>,
    checksum: Adler32,
    length: u64,
}

impl Default for Pack {
    fn default() -> Self {
        Self {
            encoder: DeflateEncoder::new(Vec::new(), Compression::default()),
            checksum: Adler32::new(),
            length: 0,
        }
    }
}

impl Pack {
    /// Adds to it.
    pub fn push(&mut self, text: &[u8]) -> io::Result<()> {
        self.encoder.write_all(text)?;
        self.checksum.write_slice(text);
        self.length += text.len() as u64;
        // To a byte's end, so that something can follow.
        self.encoder.flush()
    }

    /// All of it between two other texts, in zlib's format.
    pub fn between(&self, before: &[u8], after: &[u8]) -> io::Result<Vec<u8>> {
        let mut front = Self::default();
        front.push(before)?;
        let mut whole = HEADER.to_vec();
        whole.extend_from_slice(front.encoder.get_ref());
        // What it refers back to is its own.
        whole.extend_from_slice(self.encoder.get_ref());
        let mut back = DeflateEncoder::new(Vec::new(), Compression::default());
        back.write_all(after)?;
        whole.extend(back.finish()?);
        let mut checksum = Adler32::from_checksum(self.checksum_after(front.checksum.checksum()));
        checksum.write_slice(after);
        whole.extend(checksum.checksum().to_be_bytes());
        Ok(whole)
    }

    /// The checksum of this behind a text that has another (zlib, `adler32_combine`): of both its sums, the first counts from 1, and the
    /// second adds the first up once for each byte.
    fn checksum_after(&self, before: u32) -> u32 {
        let sums = |checksum: u32| (u64::from(checksum & 0xffff), u64::from(checksum >> 16));
        let ((first, second), (its_first, its_second)) = (sums(before), sums(self.checksum.checksum()));
        let times = self.length % MODULUS;
        let low = (first + its_first + MODULUS - 1) % MODULUS;
        let high = (second + its_second + times * (first + MODULUS - 1)) % MODULUS;
        u32::try_from(high << 16 | low).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::ZlibDecoder;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_packed_inflates_to_the_same(
            before in ".{0,40}", pieces in proptest::collection::vec("[ab]{0,300}|.{0,9}", 0..9), after in ".{0,9}",
        ) {
            let mut pack = Pack::default();
            for piece in &pieces {
                pack.push(piece.as_bytes()).expect("in memory");
                pack.between(b"looked at meanwhile", b"").expect("in memory");
            }
            let whole = pack.between(before.as_bytes(), after.as_bytes()).expect("in memory");
            let mut text = String::new();
            // Which holds the checksum against it.
            ZlibDecoder::new(whole.as_slice()).read_to_string(&mut text).expect("zlib's format");
            prop_assert_eq!(text, format!("{before}{}{after}", pieces.concat()));
        }
    }
}
