//! Numbers, sizes and flags: src/basic/parse-util.c of systemd. Pure.

use crate::unit::lines::BLANK;

/// `parse_boolean`
pub(crate) fn flag(text: &str) -> Option<bool> {
    let is_one = |words: [&str; 6]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is_one(["1", "yes", "y", "true", "t", "on"]) {
        return Some(true);
    }
    is_one(["0", "no", "n", "false", "f", "off"]).then_some(false)
}

/// A number as `safe_atou64` takes it; octal and hexadecimal ones too.
pub(crate) fn number(text: &str) -> Option<u64> {
    let text = text.trim_start_matches(BLANK);
    let digits = text.strip_prefix('+').unwrap_or(text);
    let (digits, radix) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&digits[2..], 16),
        [b'0', b'b', ..] => (&digits[2..], 2),
        [b'0', b'o', ..] => (&digits[2..], 8),
        [b'0', _, ..] => (&digits[1..], 8),
        _ => (digits, 10),
    };
    // A sign here would be another one.
    let is_digits = digits.chars().all(|digit| digit.is_digit(radix));
    u64::from_str_radix(digits, radix).ok().filter(|_| is_digits)
}

/// `parse_size` to the base of 1024: `1.5G`.
pub(crate) fn size(text: &str) -> Option<u64> {
    const SUFFIXES: [(&str, u32); 8] =
        [("E", 60), ("P", 50), ("T", 40), ("G", 30), ("M", 20), ("K", 10), ("B", 0), ("", 0)];
    let digits = text.len() - text.trim_start_matches(|char: char| char.is_ascii_digit()).len();
    let (whole, rest) = text.split_at(digits);
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => {
            let digits = rest.len() - rest.trim_start_matches(|char: char| char.is_ascii_digit()).len();
            rest.split_at(digits)
        }
        None => ("", rest),
    };
    let rest = rest.trim_start_matches(BLANK);
    let (_, shift) = SUFFIXES.iter().find(|(suffix, _)| rest == *suffix)?;
    let factor = 1_u128 << shift;
    let mut bytes = whole.parse::<u128>().ok()?.checked_mul(factor)?;
    if !fraction.is_empty() {
        let scale = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        bytes += fraction.parse::<u128>().ok()?.checked_mul(factor)? / scale;
    }
    u64::try_from(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_sizes_and_flags_are_read_as_systemd_reads_them() {
        for (text, expected) in [
            ("10", Some(10)),
            ("010", Some(8)),
            ("0x10", Some(16)),
            ("0", Some(0)),
            ("", None),
            ("-1", None),
            ("1 ", None),
        ] {
            assert_eq!(number(text), expected, "{text:?}");
        }
        for (text, expected) in [
            ("1024", Some(1024)),
            ("1K", Some(1024)),
            ("1.5M", Some(1_572_864)),
            ("2 G", Some(2 << 30)),
            ("16E", None),
            ("1k", None),
            ("", None),
            ("K", None),
        ] {
            assert_eq!(size(text), expected, "{text:?}");
        }
        for (text, expected) in [
            ("yes", Some(true)),
            ("On", Some(true)),
            ("T", Some(true)),
            ("0", Some(false)),
            ("", None),
            ("maybe", None),
        ] {
            assert_eq!(flag(text), expected, "{text:?}");
        }
    }
}
