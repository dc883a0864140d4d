//! What became of many clients' requests, which come at a rate of their own: whoever waits for an answer keeps nobody else from
//! asking, so that a stall hides none that were due in it. How long an answer took is counted from when it was due.
//!
//! They are counted, and not kept: by when they were due, in slices of a tenth of a second, and by how long they took, to within
//! 3 %. However many there are, a minute of them is a few hundred numbers.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::clock::Usec;
use super::phase::Span;
use super::text::one_line;

/// Requests that were due within such a time are counted together.
pub const SLICE: Duration = Duration::from_millis(100);

/// So many kinds of failures are told apart.
const MOST_KINDS: usize = 16;
/// The rest of them.
const OTHERS: &str = "other failures";

/// Each power of two of microseconds is divided into so many buckets, as a power of two.
const PARTS: u32 = 5;

/// A batch: what became known of requests since the batch before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// How many were due in a second.
    pub rate: u32,
    /// By the beginnings of slices: those that were answered well, that failed, and that the instrument did not make.
    pub slices: Vec<(Usec, u64, u64, u64)>,
    /// How many failed for which reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failures: BTreeMap<String, u64>,
    /// How long good answers took: at most so many microseconds, and how many.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub took: Vec<(u64, u64)>,
    /// By how much the latest request came after it was due, in microseconds.
    pub late_usec: u64,
    /// How many are under way.
    pub open: u64,
}

/// What requests came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// A good answer.
    pub good: u64,
    /// Anything else.
    pub failed: u64,
    /// Nobody asked: the instrument itself was too late for it, or had nothing to ask with.
    pub unasked: u64,
}

/// What all batches come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many were due in a second.
    pub rate: u32,
    slices: BTreeMap<Usec, Counts>,
    failures: BTreeMap<String, u64>,
    took: BTreeMap<u64, u64>,
    /// By how much the latest request came after it was due.
    pub late: Duration,
    /// How many were under way at the end.
    pub open: u64,
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.good = self.good.saturating_add(other.good);
        self.failed = self.failed.saturating_add(other.failed);
        self.unasked = self.unasked.saturating_add(other.unasked);
    }

    /// All that are known.
    pub fn all(self) -> u64 {
        self.good.saturating_add(self.failed).saturating_add(self.unasked)
    }
}

impl Tally {
    /// Of a load of such a rate.
    pub fn new(rate: u32) -> Self {
        Self { rate, ..Self::default() }
    }

    /// One that was due then was answered well, so long after that.
    pub fn good(&mut self, due: Usec, took: Duration) {
        self.slice(due).good += 1;
        *self.took.entry(bucket(took)).or_default() += 1;
    }

    /// One that was due then failed.
    pub fn failed(&mut self, due: Usec, reason: &str) {
        self.slice(due).failed += 1;
        self.count_failures(reason, 1);
    }

    /// One that was due then was not made.
    pub fn unasked(&mut self, due: Usec) {
        self.slice(due).unasked += 1;
    }

    fn slice(&mut self, due: Usec) -> &mut Counts {
        let length = u64::try_from(SLICE.as_micros()).unwrap_or(u64::MAX);
        self.slices.entry(Usec(due.0 - due.0 % length)).or_default()
    }

    fn count_failures(&mut self, reason: &str, count: u64) {
        let is_known = self.failures.contains_key(reason) || self.failures.len() < MOST_KINDS;
        let entry =
            self.failures.entry(if is_known { one_line(reason.into()) } else { OTHERS.into() }).or_default();
        *entry = entry.saturating_add(count);
    }

    /// All that has been counted since, as a batch; from here on it is counted anew. `open` are under way.
    pub fn take(&mut self, open: u64) -> Load {
        let Self { rate, slices, failures, took, late, .. } = std::mem::replace(self, Self::new(self.rate));
        let slices =
            slices.into_iter().map(|(at, Counts { good, failed, unasked })| (at, good, failed, unasked));
        Load {
            rate,
            slices: slices.collect(),
            failures,
            took: took.into_iter().collect(),
            late_usec: u64::try_from(late.as_micros()).unwrap_or(u64::MAX),
            open,
        }
    }

    /// Takes a batch in.
    pub fn add(&mut self, load: &Load) {
        self.rate = load.rate;
        for &(at, good, failed, unasked) in &load.slices {
            self.slices.entry(at).or_default().add(Counts { good, failed, unasked });
        }
        for (reason, count) in &load.failures {
            self.count_failures(reason, *count);
        }
        for &(most, count) in &load.took {
            let entry = self.took.entry(most).or_default();
            *entry = entry.saturating_add(count);
        }
        self.late = self.late.max(Duration::from_micros(load.late_usec));
        self.open = load.open;
    }

    /// What came of those that were due within a time, to within a [`SLICE`] at its ends.
    pub fn within(&self, span: Span) -> Counts {
        let mut sum = Counts::default();
        let slices = self.slices.range(span.from.before(SLICE)..).take_while(|(at, _)| **at < span.to);
        slices.filter(|(at, _)| **at + SLICE > span.from).for_each(|(_, counts)| sum.add(*counts));
        sum
    }

    /// What came of all.
    pub fn all(&self) -> Counts {
        let mut sum = Counts::default();
        self.slices.values().for_each(|counts| sum.add(*counts));
        sum
    }

    /// Why they failed, the most frequent reason first.
    pub fn failures(&self) -> Vec<(&str, u64)> {
        let mut failures =
            self.failures.iter().map(|(reason, count)| (reason.as_str(), *count)).collect::<Vec<_>>();
        failures.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        failures
    }

    /// How long such a part of all good answers took at most; none where there are too few to tell.
    pub fn quantile(&self, part: f64) -> Option<Duration> {
        let all = self.took.values().fold(0_u64, |sum, count| sum.saturating_add(*count));
        #[expect(clippy::cast_precision_loss, reason = "a part of a count")]
        let before = (all as f64) * part;
        // Of fewer, the largest says nothing of how large it may be.
        #[expect(clippy::cast_precision_loss, reason = "a count beside one")]
        let is_enough = part >= 1.0 || (all as f64) * (1.0 - part) >= 1.0;
        let mut sum = 0_u64;
        let reached = self.took.iter().find(|(_, count)| {
            sum = sum.saturating_add(**count);
            #[expect(clippy::cast_precision_loss, reason = "a part of a count")]
            let so_far = sum as f64;
            so_far >= before
        });
        reached.filter(|_| all > 0 && is_enough).map(|(most, _)| Duration::from_micros(*most))
    }
}

/// The longest time, in microseconds, that is counted as this one.
fn bucket(took: Duration) -> u64 {
    let usec = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    let shift = (u64::BITS - usec.leading_zeros()).saturating_sub(PARTS + 1);
    usec | ((1 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn at(ms: u64) -> Usec {
        Usec(10_000_000 + ms * 1000)
    }

    #[test]
    fn requests_are_counted_by_when_they_were_due() {
        let mut tally = Tally::new(500);
        for ms in [0, 50, 99, 100, 250] {
            tally.good(at(ms), MS);
        }
        for ms in [120, 250, 399] {
            tally.failed(at(ms), "connection refused");
        }
        tally.unasked(at(110));
        let within = |from, to| tally.within(Span { from: at(from), to: at(to) });
        assert_eq!(within(100, 300), Counts { good: 2, failed: 2, unasked: 1 });
        assert_eq!(within(0, 100), Counts { good: 3, failed: 0, unasked: 0 });
        // What was due within the slice in which a time begins may have been due in it.
        assert_eq!(within(350, 400), Counts { good: 0, failed: 1, unasked: 0 });
        assert_eq!(tally.all(), Counts { good: 5, failed: 3, unasked: 1 });
        assert_eq!(tally.all().all(), 9);
    }

    #[test]
    fn a_quantile_is_told_when_there_are_enough_and_is_never_too_short() {
        let mut tally = Tally::new(1);
        assert_eq!(tally.quantile(0.5), None);
        for ms in 1..=200 {
            tally.good(at(0), MS * ms);
        }
        for (part, exact) in [(0.5, 100), (0.9, 180), (0.99, 198), (1.0, 200)] {
            let told = tally.quantile(part).expect("enough");
            assert!(told >= MS * exact && told <= (MS * exact).mul_f64(1.04), "{part}: {told:?}");
        }
        assert_eq!(tally.quantile(0.999), None, "of 200 it is the largest, and nothing is known of it");
    }

    #[test]
    fn a_time_is_told_to_within_three_percent_and_the_shortest_exactly() {
        for usec in [0, 1, 31, 32, 33, 63, 64, 1000, 1_000_000, u64::MAX - 1] {
            let most = bucket(Duration::from_micros(usec));
            assert!(most >= usec && most - usec <= usec / 32, "{usec}: {most}");
        }
    }

    #[test]
    fn so_many_kinds_of_failures_are_told_apart_and_what_they_say_is_text() {
        let mut tally = Tally::new(1);
        for kind in 0..100 {
            tally.failed(at(0), &format!("answered \"{kind}\"\u{1b}[2J"));
        }
        let failures = tally.failures();
        assert_eq!((failures.len(), failures[0]), (MOST_KINDS + 1, (OTHERS, 84)));
        assert!(failures.iter().all(|(reason, _)| !reason.contains('\u{1b}')));
    }

    #[test]
    fn a_batch_that_counts_more_than_there_can_be_is_no_overflow() {
        let load = format!(
            r#"{{"rate":1,"slices":[[1,{max},{max},{max}],[2,1,1,1]],"failures":{{"x":{max}}},"took":[[{max},{max}],[1,1]],"late_usec":{max},"open":{max}}}"#,
            max = u64::MAX
        );
        let load = serde_json::from_str::<Load>(&load).expect("a batch");
        let mut tally = Tally::default();
        tally.add(&load);
        tally.add(&load);
        assert_eq!(tally.all().all(), u64::MAX);
        assert!(tally.quantile(0.5).is_some() && tally.failures().len() == 1);
        assert_eq!(tally.within(Span { from: Usec(0), to: Usec(u64::MAX) }), tally.all());
    }

    proptest! {
        #[test]
        fn in_however_many_batches_requests_are_told_they_come_to_the_same(
            requests in proptest::collection::vec((0_u64..5000, 0_u64..2_000_000, 0_u8..4), 0..200),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..5),
        ) {
            let mut whole = Tally::new(7);
            let (mut counting, mut told) = (Tally::new(7), Tally::default());
            let cuts = cuts.iter().map(|cut| cut.index(requests.len() + 1)).collect::<Vec<_>>();
            for (index, (due, took, what)) in requests.iter().enumerate() {
                if cuts.contains(&index) {
                    told.add(&serde_json::from_str(&serde_json::to_string(&counting.take(3)).expect("json")).expect("a batch"));
                }
                for tally in [&mut whole, &mut counting] {
                    match what {
                        0 => tally.unasked(at(*due)),
                        1 => tally.failed(at(*due), &format!("reason {}", took % 3)),
                        _ => tally.good(at(*due), Duration::from_micros(*took)),
                    }
                    tally.late = tally.late.max(Duration::from_micros(*took));
                }
            }
            told.add(&counting.take(0));
            prop_assert_eq!(told, whole);
        }
    }
}
