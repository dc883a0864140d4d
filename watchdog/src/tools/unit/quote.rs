//! A word as `ExecStart=` wants it: systemd.service(5), "COMMAND LINES", and systemd.syntax(7), "QUOTING".

use std::ffi::OsStr;
use std::fmt::Write;

use super::UnitError;

/// Whether `$` begins a variable: not under the prefix `:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dollars {
    /// It does; `$$` is a dollar.
    Expand,
    /// It is a dollar.
    Literal,
}

/// Quotes `word`, if it needs that, so that systemd hands it on as it is.
pub fn quote(word: &OsStr, dollars: Dollars) -> Result<String, UnitError> {
    let word = word.to_str().ok_or_else(|| UnitError::NotUtf8(word.to_owned()))?;
    if word.contains('\0') {
        return Err(UnitError::NulByte { word: word.to_owned() });
    }
    let mut quoted = String::with_capacity(word.len() + 2);
    for char in word.chars() {
        match char {
            '%' => quoted.push_str("%%"),
            '$' if dollars == Dollars::Expand => quoted.push_str("$$"),
            '"' | '\\' => quoted.extend(['\\', char]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            control if control.is_ascii_control() => {
                let _ = write!(quoted, "\\x{:02x}", u32::from(control));
            }
            other => quoted.push(other),
        }
    }
    Ok(if needs_quotes(word) { format!("\"{quoted}\"") } else { quoted })
}

/// A `;` of its own would begin another command.
fn needs_quotes(word: &str) -> bool {
    let special = |char: char| char.is_whitespace() || char.is_ascii_control() || "\"'\\;".contains(char);
    word.is_empty() || word.contains(special)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_if_it_must_be_and_means_itself() {
        for (word, expected) in [
            ("--http", "--http"),
            ("http://127.0.0.1:8080/healthz?a=b&c", "http://127.0.0.1:8080/healthz?a=b&c"),
            ("X-A: b", "\"X-A: b\""),
            ("", "\"\""),
            ("100%", "100%%"),
            ("$HOME ${X}", "\"$$HOME $${X}\""),
            ("$HOME", "$$HOME"),
            ("it's", "\"it's\""),
            ("say \"hi\"", "\"say \\\"hi\\\"\""),
            ("PING\\r\\n", "\"PING\\\\r\\\\n\""),
            ("a\nb\tc\x07", "\"a\\nb\\tc\\x07\""),
            (";", "\";\""),
            ("ä", "ä"),
        ] {
            assert_eq!(quote(OsStr::new(word), Dollars::Expand).expect("text"), expected);
        }
        assert_eq!(quote(OsStr::new("$x%"), Dollars::Literal).expect("text"), "$x%%");
    }

    #[test]
    fn what_a_unit_cannot_hold_is_refused() {
        use std::os::unix::ffi::OsStrExt;
        assert!(matches!(quote(OsStr::from_bytes(b"\xff"), Dollars::Expand), Err(UnitError::NotUtf8(_))));
        assert!(matches!(quote(OsStr::new("a\0"), Dollars::Expand), Err(UnitError::NulByte { .. })));
    }
}
