//! What became of a load's requests, for people and for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use crate::model::bound::ALLOWANCE;
use crate::model::clock::{Human, Usec};
use crate::model::load::{Counts, SLICE, Tally};
use crate::model::phase::Span;
use crate::model::timeline::Timeline;

/// So many reasons are shown.
const SHOWN: usize = 3;

/// Which part of all takes at most so long.
const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0)];

/// In sentences.
pub fn sentence(load: &Tally, timeline: &Timeline) -> String {
    let Counts { good, failed, unasked } = load.all();
    let asked = good + failed;
    let mut text = format!("{} a second: {failed} of {asked} requests failed", load.rate);
    let mut reasons = load.failures().into_iter();
    let shown = reasons.by_ref().take(SHOWN).map(|(reason, count)| format!("{count} × {reason}"));
    let shown = shown.collect::<Vec<_>>().join(", ");
    let others = reasons.map(|(_, count)| count).sum::<u64>();
    if failed > 0 {
        let others = if others > 0 { format!(", {others} × other reasons") } else { String::new() };
        let _ = write!(text, " ({shown}{others})");
    }
    let before = load.within(before(timeline)).failed;
    if before > 0 {
        let _ = write!(text, ", {before} of them before the injection");
    }
    let times = QUANTILES.iter().filter_map(|(name, part)| {
        let took = load.quantile(*part)?;
        Some(if *name == "max" {
            format!("{} at most", Human(took))
        } else {
            format!("{} ({name})", Human(took))
        })
    });
    let times = times.collect::<Vec<_>>();
    if !times.is_empty() {
        let _ = write!(text, "; good answers took {}", times.join(", "));
    }
    if unasked + load.open > 0 {
        let _ = write!(text, "; {} were not made in time, or not to their end", unasked + load.open);
    }
    text
}

fn before(timeline: &Timeline) -> Span {
    // What was under way when the fault took hold is the fault's.
    Span { from: Usec(0), to: timeline.origin.before(ALLOWANCE + SLICE) }
}

/// For programs.
#[derive(Serialize)]
pub struct Document {
    rate: u32,
    asked: u64,
    good: u64,
    failed: u64,
    failed_before_injection: u64,
    unasked: u64,
    open: u64,
    failures: BTreeMap<String, u64>,
    latency_ms: BTreeMap<&'static str, f64>,
    late_ms: f64,
}

impl Document {
    /// Of a trial's load.
    pub fn of(load: &Tally, timeline: &Timeline) -> Self {
        let Counts { good, failed, unasked } = load.all();
        let latency = QUANTILES.iter().filter_map(|(name, part)| Some((*name, in_ms(load.quantile(*part)?))));
        Self {
            rate: load.rate,
            asked: good + failed,
            good,
            failed,
            failed_before_injection: load.within(before(timeline)).failed,
            unasked,
            open: load.open,
            failures: load.failures().into_iter().map(|(reason, count)| (reason.to_owned(), count)).collect(),
            latency_ms: latency.collect(),
            late_ms: in_ms(load.late),
        }
    }
}

fn in_ms(duration: Duration) -> f64 {
    Usec(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)).ms_since(Usec(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ask::Witness;

    #[test]
    fn what_became_of_requests_is_said_in_a_sentence_and_in_figures() {
        let at = |ms: u64| Usec(1_000_000 + ms * 1000);
        let timeline = Timeline::new(at(300), at(2000), Vec::new(), &Witness::default());
        let mut load = Tally::new(500);
        for _ in 0..400 {
            load.good(at(400), Duration::from_micros(900));
        }
        assert_eq!(
            sentence(&load, &timeline),
            "500 a second: 0 of 400 requests failed; good answers took 911 µs (p50), 911 µs (p90), 911 µs (p99), 911 µs at most"
        );
        for (reason, count) in [("a", 1), ("b", 2), ("c", 4), ("d", 3)] {
            (0..count).for_each(|_| load.failed(at(400), reason));
        }
        load.failed(at(0), "a");
        load.unasked(at(500));
        let said = sentence(&load, &timeline);
        let expected = "500 a second: 11 of 411 requests failed (4 × c, 3 × d, 2 × a, 2 × other reasons), 1 of them before the injection";
        assert!(
            said.starts_with(expected) && said.ends_with("; 1 were not made in time, or not to their end"),
            "{said}"
        );
        let document = serde_json::to_value(Document::of(&load, &timeline)).expect("JSON");
        assert_eq!(document["asked"], 411);
        assert_eq!(document["failures"]["c"], 4);
        assert_eq!(document["failed_before_injection"], 1);
        assert!(document["latency_ms"]["p99"].as_f64().is_some_and(|ms| (0.9..0.95).contains(&ms)));
    }
}
