//! Two samples of one phase: is the second longer than the first, and by how much? Pure.
//!
//! Ranks alone are compared (Mann and Whitney, 1947), since times have long tails; the shift is the median of all differences (Hodges
//! and Lehmann, 1963), and its interval those of them that the test does not refuse.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use statrs::distribution::{ContinuousCDF, Normal};

use super::clock::{Human, parse_span};
use super::statistics::CONFIDENCE;

/// By how much something may differ and yet be called the same.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tolerance {
    /// By such a part of the median before, in percent, and by [`FLOOR`] at least.
    Percent(f64),
    /// By so much.
    Time(Duration),
}

/// Two runs of the same differ by so much for reasons of the host's own; and clients ask no more often.
const FLOOR: Duration = Duration::from_millis(10);

/// Up to so many in each sample the test is exact; beyond, the normal distribution is as good.
const EXACT: usize = 30;

/// What two samples say of a phase. Differences are in microseconds, negative where the second is shorter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// Their medians.
    pub medians: [Duration; 2],
    /// The median of all differences.
    pub shift: i64,
    /// Its interval at [`CONFIDENCE`]; [`None`] where there are too few to tell.
    pub interval: Option<(i64, i64)>,
    /// What that means for whoever tolerates so much.
    pub margin: Duration,
    /// In a word.
    pub word: Word,
}

/// What a difference is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Longer, by more than is tolerated, and that is no chance.
    Slower,
    /// Shorter, likewise.
    Faster,
    /// Within what is tolerated, for certain.
    Equivalent,
    /// It may be any of these.
    Untold,
}

impl Word {
    /// For people.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Slower => "slower",
            Self::Faster => "faster",
            Self::Equivalent => "equivalent",
            Self::Untold => "not told apart",
        }
    }
}

impl Comparison {
    /// Of two samples; [`None`] where one of them is empty.
    pub fn of(before: &[Duration], after: &[Duration], tolerance: Tolerance) -> Option<Self> {
        let medians = [median(before)?, median(after)?];
        let usec = |length: &Duration| i64::try_from(length.as_micros()).unwrap_or(i64::MAX);
        let mut shifts = after
            .iter()
            .flat_map(|after| before.iter().map(move |before| usec(after).saturating_sub(usec(before))))
            .collect::<Vec<_>>();
        shifts.sort_unstable();
        let shift = shifts[(shifts.len() - 1) / 2];
        let interval = refused_below(before.len(), after.len())
            .map(|rank| (shifts[rank - 1], shifts[shifts.len() - rank]));
        let margin = tolerance.of(medians[0]);
        let word = judge(shift, interval, usec(&margin));
        Some(Self { medians, shift, interval, margin, word })
    }
}

fn judge(shift: i64, interval: Option<(i64, i64)>, margin: i64) -> Word {
    match interval {
        Some((low, _)) if low > 0 && shift > margin => Word::Slower,
        Some((_, high)) if high < 0 && shift < -margin => Word::Faster,
        Some((low, high)) if -margin <= low && high <= margin => Word::Equivalent,
        _ => Word::Untold,
    }
}

fn median(sample: &[Duration]) -> Option<Duration> {
    let mut sorted = sample.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
}

/// The largest rank, from 1, below which the sorted differences hold fewer than [`CONFIDENCE`] leaves at each end.
fn refused_below(first: usize, second: usize) -> Option<usize> {
    let tail = (1.0 - CONFIDENCE) / 2.0;
    if first <= EXACT && second <= EXACT {
        let ways = ways(first, second);
        let all: f64 = ways.iter().sum();
        let mut below = 0.0;
        return ways
            .iter()
            .take_while(|ways| {
                below += **ways / all;
                below <= tail
            })
            .count()
            .checked_sub(1)
            .map(|rank| rank + 1);
    }
    #[expect(clippy::cast_precision_loss, reason = "counts of trials")]
    let (first, second) = (first as f64, second as f64);
    let deviation = (first * second * (first + second + 1.0) / 12.0).sqrt();
    let normal = Normal::new(first * second / 2.0, deviation).ok()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank")]
    let rank = normal.inverse_cdf(tail).floor().max(0.0) as usize;
    (rank > 0).then_some(rank)
}

/// In how many ways so many of one and of the other can be ordered for each value of U, from 0.
fn ways(first: usize, second: usize) -> Vec<f64> {
    // Of so many of the first and `column` of the second.
    let mut rows = vec![vec![1.0]; second + 1];
    for count in 1..=first {
        for column in 1..=second {
            // The longest is one of the first, and beats all of the second; or it is one of these.
            let mut ways = vec![0.0; count * column + 1];
            for (u, way) in rows[column].iter().enumerate() {
                ways[u + column] += way;
            }
            for (u, way) in rows[column - 1].iter().enumerate() {
                ways[u] += way;
            }
            rows[column] = ways;
        }
    }
    rows.pop().unwrap_or_default()
}

impl Tolerance {
    /// So much of a phase whose median is this.
    pub fn of(self, median: Duration) -> Duration {
        match self {
            Self::Percent(percent) => median.mul_f64(percent / 100.0).max(FLOOR),
            Self::Time(time) => time,
        }
    }
}

impl FromStr for Tolerance {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let percent = text.strip_suffix('%').map(|number| number.trim().parse::<f64>());
        let read = match percent {
            Some(Ok(percent)) if (0.0..=1000.0).contains(&percent) => Some(Self::Percent(percent)),
            Some(_) => None,
            None => parse_span(text).map(Self::Time),
        };
        read.ok_or_else(|| format!("\"{text}\" is neither a part (10%) nor a time (50ms)"))
    }
}

impl fmt::Display for Tolerance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Percent(percent) => write!(f, "{percent}%"),
            Self::Time(time) => Human(*time).fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(values: impl IntoIterator<Item = u64>) -> Vec<Duration> {
        values.into_iter().map(Duration::from_millis).collect()
    }

    #[test]
    fn the_ways_are_those_that_there_are() {
        // Three of five places: 10 ways, of which U has 0 once, … (Mann and Whitney, table for n = 3, m = 2).
        assert_eq!(ways(3, 2), [1.0, 1.0, 2.0, 2.0, 2.0, 1.0, 1.0]);
        assert_eq!(ways(2, 3), ways(3, 2));
        assert!((ways(30, 30).iter().sum::<f64>() - 118_264_581_564_861_424.0).abs() < 1e3, "60 over 30");
    }

    #[test]
    fn the_ranks_are_those_of_the_tables() {
        // Hollander and Wolfe: two-sided 5 % of U for 5 and 5 is 2, for 8 and 8 it is 13, for 20 and 20 it is 127; 3 and 3 have none.
        for (first, second, rank) in
            [(3, 3, None), (4, 4, Some(1)), (5, 5, Some(3)), (8, 8, Some(14)), (20, 20, Some(128))]
        {
            assert_eq!(refused_below(first, second), rank, "{first} and {second}");
        }
        let (exact, normal) =
            (refused_below(30, 30).expect("a rank"), refused_below(30, 31).expect("a rank"));
        assert!(normal > exact && normal < exact + 20, "{exact} and {normal}: no leap between the two");
    }

    #[test]
    fn what_is_shifted_is_told_with_its_interval() {
        let before = ms((0..20).map(|n| 1000 + n * 3));
        let slower = before.iter().map(|length| *length + Duration::from_millis(200)).collect::<Vec<_>>();
        let tolerance = Tolerance::Percent(10.0);
        let compared = Comparison::of(&before, &slower, tolerance).expect("samples");
        assert_eq!((compared.shift, compared.word), (200_000, Word::Slower));
        let (low, high) = compared.interval.expect("enough");
        assert!(low < 200_000 && 200_000 < high && high - low < 40_000, "{low} to {high}");
        let back = Comparison::of(&slower, &before, tolerance).expect("samples");
        assert_eq!((back.shift, back.interval, back.word), (-200_000, Some((-high, -low)), Word::Faster));
        let same = Comparison::of(&before, &before, tolerance).expect("samples");
        assert_eq!((same.shift, same.word), (0, Word::Equivalent));
        assert_eq!(Comparison::of(&before, &[], tolerance), None);
    }

    #[test]
    fn a_difference_is_equivalent_only_if_its_interval_says_so() {
        const MARGIN: i64 = 100;
        for (shift, interval, word) in [
            (0, Some((-100, 100)), Word::Equivalent),
            (50, Some((1, 99)), Word::Equivalent),
            (0, Some((-101, 100)), Word::Untold),
            (0, Some((-1, 101)), Word::Untold),
            (150, Some((101, 200)), Word::Slower),
            (101, Some((1, 200)), Word::Slower),
            (100, Some((1, 200)), Word::Untold),
            (150, Some((0, 300)), Word::Untold),
            (-150, Some((-200, -1)), Word::Faster),
            (-100, Some((-200, -1)), Word::Untold),
            (1000, None, Word::Untold),
        ] {
            assert_eq!(judge(shift, interval, MARGIN), word, "{shift} {interval:?}");
        }
    }

    /// The claim itself: of many pairs of samples of one kind, the interval misses no shift at all in one of twenty at most.
    #[test]
    fn an_interval_misses_as_seldom_as_it_claims() {
        const PAIRS: u32 = 2000;
        let mut state = 7_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % 1_000_000
        };
        for (first, second) in [(12, 9), (40, 35)] {
            let mut missed = 0;
            for _ in 0..PAIRS / u32::try_from(first / 10).expect("few") {
                let (before, after) = (ms((0..first).map(|_| next())), ms((0..second).map(|_| next())));
                let compared = Comparison::of(&before, &after, Tolerance::Percent(10.0)).expect("samples");
                let (low, high) = compared.interval.expect("enough");
                missed += u32::from(low > 0 || high < 0);
            }
            // Three standard deviations of 5 %.
            let all = f64::from(PAIRS / u32::try_from(first / 10).expect("few"));
            let most = 0.05 * all + 3.0 * (0.05 * 0.95 * all).sqrt();
            assert!(f64::from(missed) <= most && missed > 0, "{missed} of {all}");
        }
    }

    #[test]
    fn a_tolerance_is_a_part_or_a_time() {
        assert_eq!("10%".parse(), Ok(Tolerance::Percent(10.0)));
        assert_eq!("50ms".parse(), Ok(Tolerance::Time(Duration::from_millis(50))));
        for wrong in ["", "%", "-1%", "NaN%", "ten", "1e9%"] {
            assert!(wrong.parse::<Tolerance>().is_err(), "{wrong}");
        }
        assert_eq!(Tolerance::Percent(10.0).of(Duration::from_secs(2)), Duration::from_millis(200));
        assert_eq!(Tolerance::Percent(10.0).of(Duration::from_millis(2)), FLOOR);
        assert_eq!(Tolerance::Time(Duration::ZERO).of(Duration::from_secs(2)), Duration::ZERO);
    }
}
