//! Durations as people write them: `500 ms`, `2 s`, `6.6 s`.

use std::fmt;
use std::time::Duration;

/// Displays a duration exactly, in the largest of ns, µs, ms and s that leaves a whole part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, self.0.as_nanos())
    }
}

/// What durations add up to, in nanoseconds. A [`Duration`] has no room for a year four billion times over, and a sum that
/// is told to people is to be the true one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sum(u128);

impl Sum {
    /// Of each duration, so many times.
    pub fn of(parts: &[(u64, Duration)]) -> Self {
        let nanos = parts.iter().map(|(times, duration)| duration.as_nanos().saturating_mul((*times).into()));
        Self(nanos.fold(0, u128::saturating_add))
    }
}

impl From<Duration> for Sum {
    fn from(duration: Duration) -> Self {
        Self(duration.as_nanos())
    }
}

/// As [`Span`] does.
impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, self.0)
    }
}

fn write(f: &mut fmt::Formatter<'_>, nanos: u128) -> fmt::Result {
    let (unit, per_unit, digits) = match nanos {
        0 => return f.write_str("0 s"),
        1..1_000 => ("ns", 1, 0),
        1_000..1_000_000 => ("µs", 1_000, 3),
        1_000_000..1_000_000_000 => ("ms", 1_000_000, 6),
        _ => ("s", 1_000_000_000, 9),
    };
    let (whole, rest) = (nanos / per_unit, nanos % per_unit);
    if rest == 0 {
        return write!(f, "{whole} {unit}");
    }
    let fraction = format!("{rest:0digits$}");
    write!(f, "{whole}.{} {unit}", fraction.trim_end_matches('0'))
}

/// A measured duration, rounded to what a reader can use: three significant digits or so.
pub fn rounded(duration: Duration) -> Span {
    let step = match duration.as_nanos() {
        0..1_000_000 => 1_000,
        1_000_000..10_000_000 => 10_000,
        10_000_000..100_000_000 => 100_000,
        100_000_000..1_000_000_000 => 1_000_000,
        _ => 10_000_000,
    };
    let excess = u64::from(duration.subsec_nanos()) % step;
    Span(duration.saturating_sub(Duration::from_nanos(excess)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_write_them_and_lose_nothing() {
        for (duration, expected) in [
            (Duration::ZERO, "0 s"),
            (Duration::from_nanos(100), "100 ns"),
            (Duration::from_nanos(1_500), "1.5 µs"),
            (Duration::from_micros(500), "500 µs"),
            (Duration::from_millis(500), "500 ms"),
            (Duration::from_micros(2_050), "2.05 ms"),
            (Duration::from_secs(2), "2 s"),
            (Duration::from_millis(6_600), "6.6 s"),
            (Duration::from_micros(1_000_001), "1.000001 s"),
            (Duration::from_secs(4_261), "4261 s"),
        ] {
            assert_eq!(Span(duration).to_string(), expected);
        }
    }

    #[test]
    fn measured_durations_are_rounded_down_to_three_digits_or_so() {
        for (micros, expected) in
            [(432, "432 µs"), (1_239, "1.23 ms"), (12_399, "12.3 ms"), (1_234_567, "1.23 s")]
        {
            assert_eq!(rounded(Duration::from_micros(micros)).to_string(), expected);
        }
    }
}
