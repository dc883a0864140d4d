//! What figures of some trials say of all: values that were measured, with the intervals that they prove.

use std::time::Duration;

use statrs::distribution::{Beta, Binomial, ContinuousCDF, DiscreteCDF};

/// How sure each end of an interval is: of twenty such ends one is wrong at most.
pub const CONFIDENCE: f64 = 0.95;

/// A quantile: always a value that was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantile {
    /// So much of what was measured is not longer.
    pub value: Duration,
    /// That of all trials is not shorter than this, at [`CONFIDENCE`]; [`None`] where too few were measured to tell.
    pub low: Option<Duration>,
    /// Nor longer than this.
    pub high: Option<Duration>,
}

/// A phase over some trials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// In how many it happened.
    pub count: usize,
    /// The shortest.
    pub min: Duration,
    /// The median.
    pub p50: Quantile,
    /// Nine of ten are not longer; [`None`] with fewer than 29 trials, which do not tell.
    pub p90: Option<Quantile>,
    /// Ninety-nine of a hundred are not longer; [`None`] with fewer than 299.
    pub p99: Option<Quantile>,
    /// The longest.
    pub max: Duration,
}

impl Summary {
    /// Of what was measured; [`None`] where that is nothing.
    pub fn of(mut lengths: Vec<Duration>) -> Option<Self> {
        lengths.sort_unstable();
        let told = |part| quantile(&lengths, part).filter(|quantile| quantile.high.is_some());
        Some(Self {
            count: lengths.len(),
            min: *lengths.first()?,
            p50: quantile(&lengths, 0.5)?,
            p90: told(0.9),
            p99: told(0.99),
            max: *lengths.last()?,
        })
    }
}

/// The nearest rank, and the order statistics that enclose the quantile of what these were drawn from: as many of them are
/// below it as heads among as many throws of a coin that shows heads in `part` of the throws.
fn quantile(sorted: &[Duration], part: f64) -> Option<Quantile> {
    #[expect(clippy::cast_precision_loss, reason = "a count of trials")]
    let count = sorted.len() as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 1 to the count")]
    let rank = (part * count).ceil().max(1.0) as usize;
    let value = *sorted.get(rank - 1)?;
    let below = Binomial::new(part, u64::try_from(sorted.len()).ok()?).ok()?;
    let at_most = |ranks: usize| below.cdf(u64::try_from(ranks).unwrap_or(u64::MAX));
    // The l-th is not above the quantile unless fewer than l are below it.
    let low = (1..=rank).rev().find(|rank| at_most(rank - 1) <= 1.0 - CONFIDENCE);
    let high = (rank..=sorted.len()).find(|rank| at_most(rank - 1) >= CONFIDENCE);
    Some(Quantile { value, low: low.map(|rank| sorted[rank - 1]), high: high.map(|rank| sorted[rank - 1]) })
}

/// The largest part of all trials that can be like `some` of `count`, at [`CONFIDENCE`] (Clopper and Pearson, one-sided).
pub fn at_most(some: usize, count: usize) -> f64 {
    if some >= count {
        return 1.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "counts of trials")]
    let (some, count) = (some as f64, count as f64);
    Beta::new(some + 1.0, count - some).map_or(1.0, |part| part.inverse_cdf(CONFIDENCE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(values: impl IntoIterator<Item = u64>) -> Vec<Duration> {
        values.into_iter().map(Duration::from_millis).collect()
    }

    #[test]
    fn quantiles_are_measured_values() {
        let summary = Summary::of(ms([5, 1, 3, 2, 4])).expect("five");
        assert_eq!(ms([1, 3, 5]), [summary.min, summary.p50.value, summary.max]);
        assert_eq!((summary.count, summary.p90, summary.p99), (5, None, None));
        let one = Summary::of(ms([7])).expect("one");
        assert_eq!((one.min, one.p50.value, one.max), (ms([7])[0], ms([7])[0], ms([7])[0]));
        assert_eq!((one.p50.low, one.p50.high), (None, None), "one says nothing of others");
        assert_eq!(Summary::of(Vec::new()), None);
    }

    #[test]
    fn an_interval_is_told_when_there_are_enough_to_tell() {
        // 1 - q^n reaches 95 % with 5, 29 and 299.
        for (count, told) in [
            (4, [false; 3]),
            (5, [true, false, false]),
            (28, [true, false, false]),
            (29, [true, true, false]),
            (298, [true, true, false]),
            (299, [true; 3]),
        ] {
            let summary = Summary::of(ms(1..=count)).expect("some");
            let high = |quantile: Option<Quantile>| quantile.is_some_and(|quantile| quantile.high.is_some());
            assert_eq!([high(Some(summary.p50)), high(summary.p90), high(summary.p99)], told, "{count}");
        }
    }

    #[test]
    fn intervals_are_those_of_the_tables() {
        // Conover, Practical Nonparametric Statistics: of 20 values, the 6th and the 15th are one-sided 95 % bounds of the median.
        let twenty = Summary::of(ms(1..=20)).expect("twenty");
        assert_eq!((twenty.p50.low, twenty.p50.high), (Some(ms([6])[0]), Some(ms([15])[0])));
        let hundred = Summary::of(ms(1..=100)).expect("a hundred");
        assert_eq!((hundred.p50.low, hundred.p50.high), (Some(ms([42])[0]), Some(ms([59])[0])));
    }

    #[test]
    fn none_of_two_hundred_proves_at_most_one_and_a_half_percent() {
        for (some, count, expected) in
            [(0, 200, 0.0149), (0, 1, 0.95), (0, 20, 0.1391), (1, 20, 0.2161), (20, 20, 1.0), (0, 0, 1.0)]
        {
            let part = at_most(some, count);
            assert!((part - expected).abs() < 1e-4, "{some} of {count}: {part}");
        }
    }

    /// The claim itself: of many samples, the interval misses the true median in one of twenty at each end, at most.
    #[test]
    fn an_interval_misses_as_seldom_as_it_claims() {
        const SAMPLES: u32 = 4000;
        let mut state = 7_u64;
        // xorshift64: the same in every run.
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % 1_000_000
        };
        let (mut above, mut below) = (0, 0);
        for _ in 0..SAMPLES {
            let summary = Summary::of(ms((0..31).map(|_| next()))).expect("31");
            above += u32::from(summary.p50.low.is_some_and(|low| low > Duration::from_secs(500)));
            below += u32::from(summary.p50.high.is_some_and(|high| high < Duration::from_secs(500)));
        }
        // Three standard deviations of 5 % of 4000.
        assert!(above <= 241 && below <= 241, "{above} and {below} of {SAMPLES}");
    }
}
