//! The one clock: CLOCK_MONOTONIC, which the host and every machine on it share, in microseconds as in systemd.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// A moment, in microseconds of CLOCK_MONOTONIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Usec(pub u64);

const UPTIME_RESOLUTION: Duration = Duration::from_millis(10);

fn read(clock: ClockId) -> Usec {
    let now = clock_gettime(clock);
    Usec(now.tv_sec.unsigned_abs() * 1_000_000 + now.tv_nsec.unsigned_abs() / 1000)
}

impl Usec {
    /// This moment.
    pub fn now() -> Self {
        read(ClockId::Monotonic)
    }

    /// Between which moments `/proc/uptime` shows `text`: that file cuts hundredths off. It counts suspends too, as
    /// CLOCK_BOOTTIME does, so this holds until the next one.
    pub fn of_uptime(text: &str) -> Option<(Self, Self)> {
        let uptime = Self(0) + Duration::try_from_secs_f64(text.trim().parse().ok()?).ok()?;
        // The other clock is read at some moment between the two of this one.
        let (earliest, boottime, latest) = (Self::now(), read(ClockId::Boottime), Self::now());
        let begin = uptime.before(boottime - earliest);
        let end = uptime.before(boottime - latest) + UPTIME_RESOLUTION;
        Some((begin, end))
    }

    /// This much earlier.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)))
    }

    /// Milliseconds from `origin` to here, negative when this is earlier.
    #[expect(clippy::cast_precision_loss, reason = "a double holds the microseconds of 285 years")]
    pub fn ms_since(self, origin: Self) -> f64 {
        (self.0 as f64 - origin.0 as f64) / 1e3
    }
}

impl Add<Duration> for Usec {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl Sub for Usec {
    type Output = Duration;

    /// The time between two moments; zero when they are the other way round.
    fn sub(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// The longest time span: what systemd counts, and far enough below what [`Duration`] can hold that a few of them add up.
pub const LONGEST: Duration = Duration::from_micros(u64::MAX);

/// Reads a time span as systemd prints and accepts it: `5s`, `1min 30s`, `1.500s`, `250us`, a bare number of seconds.
/// `infinity`, what is no time span, and what microseconds in 64 bits cannot count is `None`.
pub fn parse_span(text: &str) -> Option<Duration> {
    read_span(text).ok()
}

/// Why a text is no time span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSpan {
    /// It is something else.
    Unread,
    /// It is longer than [`LONGEST`].
    TooLong,
}

/// The same, with why it is none.
///
/// # Errors
/// [`NoSpan`].
pub fn read_span(text: &str) -> Result<Duration, NoSpan> {
    let text = text.trim();
    let mut total = Some(Duration::ZERO);
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().map_err(|_| NoSpan::Unread)?;
        let after = rest[digits..].trim_start();
        let letters = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
        let seconds = number * seconds_per(&after[..letters]).ok_or(NoSpan::Unread)?;
        let part = Duration::try_from_secs_f64(seconds).ok();
        let sum = total.zip(part).and_then(|(total, part)| total.checked_add(part));
        total = sum.filter(|total| *total <= LONGEST);
        rest = after[letters..].trim_start();
    }
    if text.is_empty() { Err(NoSpan::Unread) } else { total.ok_or(NoSpan::TooLong) }
}

/// Seconds in a unit of systemd.time(7).
fn seconds_per(unit: &str) -> Option<f64> {
    Some(match unit {
        "usec" | "us" | "µs" | "μs" => 1e-6,
        "msec" | "ms" => 1e-3,
        "" | "seconds" | "second" | "sec" | "s" => 1.0,
        "minutes" | "minute" | "min" | "m" => 60.0,
        "hours" | "hour" | "hr" | "h" => 3600.0,
        "days" | "day" | "d" => 86400.0,
        "weeks" | "week" | "w" => 604_800.0,
        "months" | "month" | "M" => 2_629_800.0,
        "years" | "year" | "y" => 31_557_600.0,
        _ => return None,
    })
}

/// Prints a duration for people: `120 µs`, `1.2 ms`, `312 ms`, `1.653 s`, `90 s`; with `{:#}` for a column, where idle zeros stay, and
/// nothing is in µs.
pub struct Human(pub Duration);

impl fmt::Display for Human {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f64();
        let (number, decimals, unit) = match seconds {
            _ if seconds > 0.0 && seconds < 0.001 && !f.alternate() => (seconds * 1e6, 0, "µs"),
            _ if seconds < 0.1 => (seconds * 1e3, 1, "ms"),
            _ if seconds < 1.0 => (seconds * 1e3, 0, "ms"),
            _ => (seconds, 3, "s"),
        };
        let mut text = format!("{number:.decimals$}");
        if !f.alternate() && text.contains('.') {
            text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
        }
        f.pad(&format!("{text} {unit}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_spans_are_read_as_systemd_writes_them() {
        for (text, expected) in [
            ("5s", Some(5000)),
            ("1min 30s", Some(90_000)),
            ("1.500s", Some(1500)),
            ("100ms", Some(100)),
            ("2s 500ms", Some(2500)),
            ("2min5s", Some(125_000)),
            ("5", Some(5000)),
            ("0", Some(0)),
            ("infinity", None),
            ("500000000000y 500000000000y", None),
            ("18446744073709551614us 1s", None),
            ("99999999999999999999999999999999", None),
            ("", None),
            ("soon", None),
            ("5 parsecs", None),
            ("1..5s", None),
        ] {
            assert_eq!(parse_span(text), expected.map(Duration::from_millis), "{text:?}");
        }
    }

    #[test]
    fn a_span_that_is_too_long_is_one_all_the_same() {
        for (text, why) in [
            ("500000000000y", NoSpan::TooLong),
            ("500000000000y 1s", NoSpan::TooLong),
            ("18446744073709551614us 1s", NoSpan::TooLong),
            ("500000000000y soon", NoSpan::Unread),
            ("infinity", NoSpan::Unread),
            ("", NoSpan::Unread),
        ] {
            assert_eq!(read_span(text), Err(why), "{text:?}");
        }
    }

    #[test]
    fn an_uptime_is_shown_for_ten_milliseconds() {
        let before = Usec::now();
        let shown = std::fs::read_to_string("/proc/uptime").expect("readable");
        let after = Usec::now();
        let (begin, end) = Usec::of_uptime(shown.split(' ').next().expect("a number")).expect("a moment");
        assert!(begin <= after && end >= before, "{before:?}..{after:?} is not in {begin:?}..{end:?}");
        assert!(end - begin < UPTIME_RESOLUTION * 2, "{begin:?}..{end:?}");
        assert_eq!(Usec::of_uptime("soon"), None);
    }

    #[test]
    fn durations_read_well_at_every_size() {
        for (micros, expected) in [
            (0, "0 ms"),
            (1, "1 µs"),
            (999, "999 µs"),
            (1000, "1 ms"),
            (1234, "1.2 ms"),
            (99_940, "99.9 ms"),
            (312_400, "312 ms"),
            (1_653_100, "1.653 s"),
            (2_100_000, "2.1 s"),
            (90_000_000, "90 s"),
        ] {
            assert_eq!(Human(Duration::from_micros(micros)).to_string(), expected);
        }
        assert_eq!(
            format!("{:#}|{:#}", Human(Duration::from_millis(53)), Human(Duration::from_secs(2))),
            "53.0 ms|2.000 s"
        );
    }

    #[test]
    fn every_unit_of_time_has_its_length() {
        for (seconds, units) in [
            (1.0, &["seconds", "second", "sec", "s"][..]),
            (60.0, &["minutes", "minute", "min", "m"]),
            (3600.0, &["hours", "hour", "hr", "h"]),
            (86_400.0, &["days", "day", "d"]),
            (604_800.0, &["weeks", "week", "w"]),
            (2_629_800.0, &["months", "month", "M"]),
            (31_557_600.0, &["years", "year", "y"]),
            (0.001, &["msec", "ms"]),
            (0.000_001, &["usec", "us"]),
        ] {
            for unit in units {
                let expected = Some(Duration::from_secs_f64(seconds * 2.0));
                assert_eq!(parse_span(&format!("2{unit}")), expected, "{unit}");
                assert_eq!(parse_span(&format!(" 2 {unit} ")), expected, "{unit}");
            }
        }
        assert_eq!(parse_span("  "), None);
    }

    #[test]
    fn moments_are_counted_within_what_there_is() {
        let (early, late) = (Usec(1_000), Usec(3_500));
        assert_eq!((late - early, early - late), (Duration::from_micros(2500), Duration::ZERO));
        assert_eq!(
            (late.before(Duration::from_millis(1)), early.before(Duration::from_secs(1))),
            (Usec(2500), Usec(0))
        );
        assert_eq!((early + Duration::from_millis(1), early + Duration::MAX), (Usec(2000), Usec(u64::MAX)));
        assert_eq!((late.ms_since(early), early.ms_since(late)), (2.5, -2.5));
        let now = Usec::now();
        let uptime = std::fs::read_to_string("/proc/uptime").expect("readable");
        let seconds: f64 = uptime.split(' ').next().and_then(|text| text.parse().ok()).expect("a number");
        // Suspends are counted in one of them alone.
        assert!(now > Usec(0) && now < Usec(0) + Duration::from_secs_f64(seconds + 60.0), "{now:?} {uptime}");
    }
}
