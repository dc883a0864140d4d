//! `--send` and `--expect` as they are typed: `PING\r\n`.

/// Text that cannot be sent or expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EscapeError {
    #[error("there is nothing in it; leave the option out")]
    Empty,
    #[error("\\{character} is no escape; there are \\r, \\n, \\t, \\0, \\\\ and \\xHH")]
    Unknown { character: char },
    #[error("\\x wants two hexadecimal digits after it, as in \\x0d")]
    Hex,
    #[error("it ends in a single backslash; write \\\\ for one that is meant")]
    Unfinished,
}

/// The bytes that are meant.
pub fn unescape(text: &str) -> Result<Vec<u8>, EscapeError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        if character != '\\' {
            bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        bytes.push(match rest.next().ok_or(EscapeError::Unfinished)? {
            'r' => b'\r',
            'n' => b'\n',
            't' => b'\t',
            '0' => 0,
            '\\' => b'\\',
            'x' => {
                let mut digit = || rest.next().and_then(|digit| digit.to_digit(16)).ok_or(EscapeError::Hex);
                u8::try_from(digit()? * 16 + digit()?).map_err(|_| EscapeError::Hex)?
            }
            character => return Err(EscapeError::Unknown { character }),
        });
    }
    if bytes.is_empty() { Err(EscapeError::Empty) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_stand_for_bytes() {
        for (text, bytes) in [
            (r"PING\r\n", &b"PING\r\n"[..]),
            (r"\0\t\\\x00\xfF", b"\0\t\\\0\xff"),
            ("läuft", "läuft".as_bytes()),
            (r"\\n", b"\\n"),
        ] {
            assert_eq!(unescape(text).as_deref(), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_escape_is_refused_with_a_remedy() {
        for (text, expected) in [
            ("", "there is nothing in it; leave the option out"),
            (r"\q", r"\q is no escape; there are \r, \n, \t, \0, \\ and \xHH"),
            (r"\ä", r"\ä is no escape"),
            (r"a\", r"it ends in a single backslash; write \\"),
            (r"\x", r"\x wants two hexadecimal digits after it, as in \x0d"),
            (r"\x1", r"\x wants two"),
            (r"\xg0", r"\x wants two"),
        ] {
            let error = unescape(text).expect_err(text).to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn every_text_is_understood_or_refused(text in any::<String>()) {
            let _ = unescape(&text);
        }

        #[test]
        fn what_rust_escapes_is_understood(bytes in proptest::collection::vec(any::<u8>(), 1..20)) {
            // But for quotes, which rust escapes too.
            let text = bytes.escape_ascii().to_string().replace("\\\"", "\"").replace("\\'", "'");
            prop_assert_eq!(unescape(&text), Ok(bytes));
        }
    }
}
