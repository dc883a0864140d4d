//! How often something took how long.

use std::cell::Cell;
use std::time::Duration;

/// The upper end of a bucket, and how the label `le` spells it in seconds.
pub type Bound = (Duration, &'static str);

/// Counts durations by size. `N` buckets with an upper end, and one without.
#[derive(Debug)]
pub struct Histogram<const N: usize> {
    bounds: &'static [Bound; N],
    /// Not cumulative: each duration counts in one of them.
    counts: [Cell<u64>; N],
    above: Cell<u64>,
    sum: Cell<Duration>,
}

impl<const N: usize> Histogram<N> {
    /// All zero.
    pub fn new(bounds: &'static [Bound; N]) -> Self {
        let zero = Cell::new(0);
        Self { bounds, counts: [const { Cell::new(0) }; N], above: zero, sum: Cell::new(Duration::ZERO) }
    }

    /// Counts one.
    pub fn observe(&self, duration: Duration) {
        let place = self.bounds.iter().position(|(upper, _)| duration <= *upper);
        let count = place.map_or(&self.above, |place| &self.counts[place]);
        count.set(count.get() + 1);
        self.sum.set(self.sum.get().saturating_add(duration));
    }

    /// The buckets as Prometheus wants them: each with those below it. The last, `+Inf`, has them all.
    pub fn cumulative(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let buckets = self.bounds.iter().map(|(_, label)| *label).zip(self.counts.iter());
        buckets.chain([("+Inf", &self.above)]).scan(0, |sum, (label, count)| {
            *sum += count.get();
            Some((label, *sum))
        })
    }

    /// Of all that was counted.
    pub fn sum(&self) -> Duration {
        self.sum.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: [Bound; 2] = [(Duration::from_millis(1), "0.001"), (Duration::from_millis(10), "0.01")];

    #[test]
    fn a_bucket_has_those_up_to_its_bound_and_those_of_the_buckets_below() {
        let histogram = Histogram::new(&BOUNDS);
        for micros in [0, 999, 1_000, 1_001, 10_000, 10_001, 1_000_000] {
            histogram.observe(Duration::from_micros(micros));
        }
        assert_eq!(histogram.cumulative().collect::<Vec<_>>(), [("0.001", 3), ("0.01", 5), ("+Inf", 7)]);
        assert_eq!(histogram.sum(), Duration::from_micros(1_023_001));
    }
}
