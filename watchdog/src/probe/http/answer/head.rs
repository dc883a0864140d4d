//! The lines of a head. Pure.

/// What every answer begins with.
const VERSION: &[u8] = b"HTTP/";

/// Whether what came so far may be the beginning of an answer.
pub fn may_begin(bytes: &[u8]) -> bool {
    let length = bytes.len().min(VERSION.len());
    bytes[..length].eq_ignore_ascii_case(&VERSION[..length])
}

/// The status in a first line that is all there: `HTTP/1.1 200 OK`. The reason may be missing, and any minor version is
/// taken: what a head means does not change within a major one (RFC 9110, section 2.5).
pub fn status(head: &[u8]) -> Result<u16, &'static str> {
    let version = "invalid HTTP version";
    let rest = head.get(VERSION.len()..).filter(|_| may_begin(head)).ok_or(version)?;
    let ([b'1'..=b'3', b'.', b'0'..=b'9', rest @ ..] | [b'2' | b'3', rest @ ..]) = rest else {
        return Err(version);
    };
    let is_apart = rest.first().copied().is_some_and(is_blank);
    // Not the end of the line: what stands behind that is another.
    let blanks = rest.iter().take_while(|byte| is_blank(**byte)).count();
    match &rest[blanks..] {
        [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', after @ ..]
            if is_apart && !after.first().is_some_and(u8::is_ascii_digit) =>
        {
            Ok([a, b, c].iter().fold(0, |status, digit| status * 10 + u16::from(*digit - b'0')))
        }
        _ => Err("invalid HTTP status"),
    }
}

/// The length of the first line, with its end, if it is all there. A line may end with the line feed alone (RFC 9112,
/// section 2.2).
pub fn line_length(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| *byte == b'\n').map(|end| end + 1)
}

/// A line that begins with one is empty.
pub fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Name and value of whatever has a colon. A line that begins with a blank continues the one before (RFC 9112, section
/// 5.2), and blanks in front of the colon are not part of the name (section 5.1).
pub fn fields(mut head: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    std::iter::from_fn(move || {
        loop {
            let mut length = line_length(head)?;
            while head[length..].first().copied().is_some_and(is_blank) {
                length += line_length(&head[length..]).unwrap_or(head.len() - length);
            }
            let (field, rest) = head.split_at(length);
            head = rest;
            if let Some(colon) = field.iter().position(|byte| *byte == b':') {
                return Some((field[..colon].trim_ascii_end(), field[colon + 1..].trim_ascii()));
            }
        }
    })
}

/// What is in a list with commas.
pub fn items(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|item| !item.is_empty())
}

/// What begins like a number, as far as it is one. One that is too large is the largest there is.
pub fn number(item: &[u8]) -> Option<usize> {
    let item = item.strip_prefix(b"+").unwrap_or(item);
    let digits = item.iter().take_while(|byte| byte.is_ascii_digit());
    let largest = i64::MAX.cast_unsigned();
    let number = digits.clone().try_fold(0_u64, |number, digit| {
        number.checked_mul(10)?.checked_add(u64::from(digit - b'0')).filter(|number| *number <= largest)
    });
    (digits.count() > 0).then(|| number.and_then(|number| usize::try_from(number).ok()).unwrap_or(usize::MAX))
}
