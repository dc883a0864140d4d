//! What a peer sent, in a line for people.

use std::fmt::Write as _;

/// How much is quoted, in bytes.
const LONGEST: usize = 32;

/// The beginning of `bytes` in quotes; what does not print is escaped.
pub fn excerpt(bytes: &[u8]) -> String {
    let mut quoted = String::from("\"");
    for chunk in bytes[..bytes.len().min(LONGEST)].utf8_chunks() {
        for character in chunk.valid().chars() {
            match u8::try_from(character) {
                Ok(byte) if byte.is_ascii() => push_byte(&mut quoted, byte),
                _ => quoted.extend(character.escape_debug()),
            }
        }
        chunk.invalid().iter().for_each(|byte| push_byte(&mut quoted, *byte));
    }
    quoted.push_str(if bytes.len() > LONGEST { "…\"" } else { "\"" });
    quoted
}

fn push_byte(quoted: &mut String, byte: u8) {
    // A String takes everything.
    let _ = write!(quoted, "{}", byte.escape_ascii());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_prints_is_quoted_as_it_is_and_the_rest_escaped() {
        for (bytes, expected) in [
            (&b""[..], r#""""#),
            (b"220 ready\r\n", r#""220 ready\r\n""#),
            (b"\x15\x03\0\"\\", r#""\x15\x03\x00\"\\""#),
            ("läuft".as_bytes(), r#""läuft""#),
            (b"\xff\xfe", r#""\xff\xfe""#),
            (&[b'x'; 33], r#""xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…""#),
        ] {
            assert_eq!(excerpt(bytes), expected);
        }
    }
}
