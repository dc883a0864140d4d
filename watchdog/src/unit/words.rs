//! A value as words, and a word as a value has it: `extract_first_word` in systemd's src/basic/extract-word.c,
//! `cunescape_one` in its src/basic/escape.c; systemd.syntax(7), "QUOTING". Pure.

use std::ffi::OsStr;
use std::fmt::Write;

use super::lines::BLANK;

/// What is made of a backslash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escapes {
    /// As in C, and `\s` for a blank; one that is not known is an error.
    C,
    /// The same, and one that is not known stays as it is.
    Relaxed,
    /// It takes what follows as it is.
    Literal,
    /// It is a character like others.
    Kept,
}

/// How a value is split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// `"` and `'` hold words together.
    pub quotes: bool,
    /// What is made of a backslash.
    pub escapes: Escapes,
}

/// `Environment=` and the like.
pub const UNQUOTED: Rules = Rules { quotes: true, escapes: Escapes::C };

/// A word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found<'v> {
    /// Without quotes and escapes; specifiers are still there.
    pub bytes: Vec<u8>,
    /// As it is written.
    pub written: &'v str,
}

/// A quote is not closed, or a backslash is the last character, or an escape is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unbalanced;

/// Takes the first word off `rest`, and the blanks behind it.
pub fn first<'v>(rest: &mut &'v str, rules: Rules) -> Result<Option<Found<'v>>, Unbalanced> {
    let value = rest.trim_start_matches(BLANK);
    if value.is_empty() {
        *rest = value;
        return Ok(None);
    }
    let (mut bytes, mut quote, mut chars) = (Vec::new(), None, value.char_indices());
    let mut utf8 = [0; 4];
    let end = loop {
        match (chars.next(), quote) {
            (None, None) => break value.len(),
            (None, Some(_)) => return Err(Unbalanced),
            (Some((place, char)), None) if BLANK.contains(&char) => break place,
            (Some((_, char)), Some(open)) if char == open => quote = None,
            (Some((_, char @ ('"' | '\''))), None) if rules.quotes => quote = Some(char),
            (Some((place, '\\')), _) if rules.escapes != Escapes::Kept => {
                let after = &value[place + 1..];
                let taken = match rules.escapes {
                    // Bytes are taken as they are, but a character is taken whole all the same.
                    _ if after.is_empty() && rules.escapes == Escapes::Relaxed && quote.is_none() => {
                        bytes.push(b'\\');
                        0
                    }
                    _ if after.is_empty() => return Err(Unbalanced),
                    Escapes::Literal => push(&mut bytes, after),
                    Escapes::C | Escapes::Relaxed | Escapes::Kept => match unescape(after, &mut bytes) {
                        Some(taken) => taken,
                        None if rules.escapes == Escapes::Relaxed => {
                            bytes.push(b'\\');
                            push(&mut bytes, after)
                        }
                        None => return Err(Unbalanced),
                    },
                };
                let next = &value[place + 1 + taken..];
                chars = value.char_indices();
                // What comes next is where `next` begins.
                while chars.as_str().len() > next.len() {
                    chars.next();
                }
            }
            (Some((_, char)), _) => bytes.extend_from_slice(char.encode_utf8(&mut utf8).as_bytes()),
        }
    };
    *rest = value[end..].trim_start_matches(BLANK);
    Ok(Some(Found { bytes, written: &value[..end] }))
}

/// The same, and again with [`Escapes::Relaxed`] where that fails: `extract_first_word_and_warn`.
pub fn first_or_relaxed<'v>(rest: &mut &'v str) -> Result<Option<Found<'v>>, Unbalanced> {
    let saved = *rest;
    first(rest, UNQUOTED).or_else(|Unbalanced| {
        *rest = saved;
        first(rest, Rules { escapes: Escapes::Relaxed, ..UNQUOTED })
    })
}

/// Its first character, whole; how many bytes that are.
fn push(bytes: &mut Vec<u8>, text: &str) -> usize {
    let length = text.chars().next().map_or(0, char::len_utf8);
    bytes.extend_from_slice(&text.as_bytes()[..length]);
    length
}

/// A word with each escape as what it stands for in C, and `\:` for a colon; [`None`], where one is none, or the word no text.
pub fn unescaped(word: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::new(), word);
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        let taken =
            if after.starts_with(':') { push(&mut bytes, after) } else { unescape(after, &mut bytes)? };
        rest = &after[taken..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).ok()
}

/// What stands after a backslash; how many bytes of it were taken, or [`None`] if it is nothing that C knows.
fn unescape(text: &str, bytes: &mut Vec<u8>) -> Option<usize> {
    let plain = match text.bytes().next()? {
        b'a' => 7,
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 11,
        b's' => b' ',
        byte @ (b'\\' | b'"' | b'\'') => byte,
        b'x' => {
            let code = digits(text, 1..3, 16)?;
            bytes.push(u8::try_from(code).ok()?);
            return Some(3);
        }
        b'0'..=b'7' => {
            let code = digits(text, 0..3, 8)?;
            bytes.push(u8::try_from(code).ok()?);
            return Some(3);
        }
        letter @ (b'u' | b'U') => {
            let length = if letter == b'u' { 5 } else { 9 };
            let char = char::from_u32(digits(text, 1..length, 16)?)?;
            bytes.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
            return Some(length);
        }
        _ => return None,
    };
    bytes.push(plain);
    Some(1)
}

/// A number that is not zero: no word has a NUL byte in it.
fn digits(text: &str, range: std::ops::Range<usize>, radix: u32) -> Option<u32> {
    let digits = text.get(range)?;
    if !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    u32::from_str_radix(digits, radix).ok().filter(|code| *code != 0)
}

/// What a unit reads into `$` and `%`, if it is not told otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// `%` is one: written as `%%`.
    pub percent_is_literal: bool,
    /// `$` is one where it would begin a variable: written as `$$`.
    pub dollar_is_literal: bool,
}

/// `word` quoted, if it needs that, so that systemd reads it as it is. A byte that is not UTF-8 becomes `\xff`.
pub fn quote(word: &OsStr, meaning: Meaning) -> String {
    let bytes = word.as_encoded_bytes();
    let mut quoted = String::with_capacity(bytes.len() + 2);
    // Whether something of it stands for something else.
    let mut needs_quotes = bytes.is_empty();
    for chunk in bytes.utf8_chunks() {
        for char in chunk.valid().chars() {
            needs_quotes |= char.is_whitespace() || char.is_ascii_control() || "\"'\\;".contains(char);
            match char {
                '%' if meaning.percent_is_literal => quoted.push_str("%%"),
                '$' if meaning.dollar_is_literal => quoted.push_str("$$"),
                '"' | '\\' => quoted.extend(['\\', char]),
                '\n' => quoted.push_str("\\n"),
                '\t' => quoted.push_str("\\t"),
                control if control.is_ascii_control() => {
                    // Writing to a string does not fail.
                    let _ = write!(quoted, "\\x{:02x}", u32::from(control));
                }
                other => quoted.push(other),
            }
        }
        for byte in chunk.invalid() {
            needs_quotes = true;
            let _ = write!(quoted, "\\x{byte:02x}");
        }
    }
    if needs_quotes { format!("\"{quoted}\"") } else { quoted }
}

#[cfg(test)]
mod tests;
