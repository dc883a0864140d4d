//! Times: src/basic/time-util.c of systemd. Pure.

use std::time::Duration;

use crate::unit::lines::BLANK;

/// As systemd.time(7) has it.
pub(crate) fn span(time: Duration) -> String {
    match time.as_micros() {
        micros if micros % 1_000_000 == 0 => format!("{}s", micros / 1_000_000),
        micros if micros % 1_000 == 0 => format!("{}ms", micros / 1_000),
        micros => format!("{micros}us"),
    }
}

/// `extract_multiplier`, in microseconds; longer words before shorter ones that they begin with.
const UNITS: [(&str, u64); 30] = [
    ("seconds", 1_000_000),
    ("second", 1_000_000),
    ("sec", 1_000_000),
    ("s", 1_000_000),
    ("minutes", 60_000_000),
    ("minute", 60_000_000),
    ("min", 60_000_000),
    ("months", 2_629_800_000_000),
    ("month", 2_629_800_000_000),
    ("M", 2_629_800_000_000),
    ("msec", 1_000),
    ("ms", 1_000),
    ("m", 60_000_000),
    ("hours", 3_600_000_000),
    ("hour", 3_600_000_000),
    ("hr", 3_600_000_000),
    ("h", 3_600_000_000),
    ("days", 86_400_000_000),
    ("day", 86_400_000_000),
    ("d", 86_400_000_000),
    ("weeks", 604_800_000_000),
    ("week", 604_800_000_000),
    ("w", 604_800_000_000),
    ("years", 31_557_600_000_000),
    ("year", 31_557_600_000_000),
    ("y", 31_557_600_000_000),
    ("usec", 1),
    ("us", 1),
    ("\u{3bc}s", 1),
    ("\u{b5}s", 1),
];

/// `parse_sec`: a number without a unit is seconds. `Some(None)` is `infinity`; [`None`], what is no time.
pub fn time(text: &str) -> Option<Option<Duration>> {
    let text = text.trim_start_matches(BLANK);
    if let Some(rest) = text.strip_prefix("infinity") {
        return rest.trim_start_matches(BLANK).is_empty().then_some(None);
    }
    let (mut sum, mut rest, mut is_something) = (0_u64, text, false);
    loop {
        rest = rest.trim_start_matches(BLANK);
        if rest.is_empty() {
            return is_something.then_some(Some(Duration::from_micros(sum)));
        }
        let (whole, after) = whole(rest)?;
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => {
                let digits = after.len() - after.trim_start_matches(|char: char| char.is_ascii_digit()).len();
                (Some(&after[..digits]), &after[digits..])
            }
            None => (None, after),
        };
        let unit = after.trim_start_matches(BLANK);
        let (multiplier, next) = match UNITS.iter().find(|(name, _)| unit.starts_with(name)) {
            Some((name, multiplier)) => (*multiplier, &unit[name.len()..]),
            // What comes next must be apart: `1 2` are three seconds, `1.2.3` is nothing.
            None if after.is_empty() || unit.len() < after.len() => (1_000_000, unit),
            None => return None,
        };
        rest = next;
        let limit = |value: &u64| *value < u64::MAX;
        // As strict as systemd: what is only just too much for the multiplier is too much.
        let part = (whole < u64::MAX / multiplier).then(|| whole * multiplier)?;
        sum = sum.checked_add(part).filter(limit)?;
        if let Some(fraction) = fraction {
            let mut step = multiplier / 10;
            for digit in fraction.bytes() {
                sum = sum.checked_add(u64::from(digit - b'0') * step).filter(limit)?;
                step /= 10;
            }
            if fraction.is_empty() {
                return None;
            }
        }
        is_something = true;
    }
}

/// `strtoll`: blanks, a plus sign, digits. No digits are a zero if a dot follows.
fn whole(text: &str) -> Option<(u64, &str)> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let rest = digits.trim_start_matches(|char: char| char.is_ascii_digit());
    let length = digits.len() - rest.len();
    if length == 0 {
        return text.starts_with('.').then_some((0, text));
    }
    let number = digits[..length].parse::<i64>().ok()?;
    Some((number.unsigned_abs(), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_systemd_reads_them() {
        let micros = |micros| Some(Some(Duration::from_micros(micros)));
        for (text, expected) in [
            ("5", micros(5_000_000)),
            ("5s", micros(5_000_000)),
            ("1min 30s", micros(90_000_000)),
            ("1min30s", micros(90_000_000)),
            ("1m", micros(60_000_000)),
            ("1M", micros(2_629_800_000_000)),
            ("1.5h", micros(5_400_000_000)),
            (".5", micros(500_000)),
            ("100ms", micros(100_000)),
            ("1us", micros(1)),
            ("1µs", micros(1)),
            ("1 2", micros(3_000_000)),
            ("+5", micros(5_000_000)),
            (" 5 ", micros(5_000_000)),
            ("0", micros(0)),
            ("1.0000001", micros(1_000_000)),
            ("infinity", Some(None)),
            ("infinity ", Some(None)),
            ("infinity s", None),
            ("", None),
            ("-1", None),
            ("1x", None),
            ("x", None),
            ("1.", None),
            ("1.s", None),
            ("1.2.3", None),
            ("1,5", None),
            ("s", None),
            ("0x10", None),
            ("99999999999999999999", None),
            ("584555y", None),
            ("584542y", None),
            ("584541y", micros(584_541 * 31_557_600_000_000)),
        ] {
            assert_eq!(time(text), expected, "{text:?}");
        }
    }

    #[test]
    fn spans_are_as_systemd_reads_them() {
        for (micros, expected) in [
            (5_000_000, "5s"),
            (90_000_000, "90s"),
            (1_500_000, "1500ms"),
            (1_500, "1500us"),
            (10_000, "10ms"),
            (0, "0s"),
        ] {
            let time = Duration::from_micros(micros);
            assert_eq!(span(time), expected);
            assert_eq!(super::time(expected), Some(Some(time)));
        }
    }
}
