//! What a recording means: timelines, verdicts and their summary. Pure; every report is made from this.

use std::time::Duration;

use crate::model::bound::Bounds;
use crate::model::entry::Entry;
use crate::model::phase::{Phase, Span};
use crate::model::timeline::Timeline;
use crate::model::verdict::{Verdict, judge};
use crate::record::{Header, Recording, Trial};

/// A run, understood.
#[derive(Clone, Debug)]
pub struct RunResult {
    /// What it was about.
    pub header: Header,
    /// What the unit allows.
    pub bounds: Bounds,
    /// Its trials.
    pub trials: Vec<TrialResult>,
    /// Why there are none, if there was nothing to try.
    pub skipped: Option<String>,
}

/// A trial, understood.
#[derive(Clone, Debug)]
pub struct TrialResult {
    /// From 1.
    pub number: u32,
    /// What its random choices came from.
    pub seed: u64,
    /// What happened.
    pub timeline: Timeline,
    /// Whether that was as expected.
    pub verdict: Verdict,
    /// The last lines about the unit in the journal.
    pub last_lines: Vec<String>,
}

/// A phase over a run's trials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The shortest.
    pub min: Duration,
    /// The median.
    pub p50: Duration,
    /// Nine of ten are not longer.
    pub p90: Duration,
    /// Ninety-nine of a hundred are not longer.
    pub p99: Duration,
    /// The longest.
    pub max: Duration,
}

/// How many of the journal's lines are shown with what went wrong.
pub const LAST_LINES: usize = 10;

impl RunResult {
    /// Understands a recording.
    pub fn of(recording: &Recording) -> Self {
        let header = recording.header.clone();
        let trials = recording.trials.iter().map(|trial| TrialResult::of(trial, &header)).collect::<Vec<_>>();
        let bounds = Bounds::of(&header.settings);
        let bounds = match trials.iter().filter_map(|trial| trial.timeline.widened()).max() {
            Some(percent) => bounds.widened(&header.settings, percent),
            None => bounds,
        };
        Self { bounds, header, trials, skipped: recording.skipped.clone() }
    }

    /// Whether no trial failed.
    pub fn is_pass(&self) -> bool {
        self.trials.iter().all(|trial| trial.verdict.is_pass())
    }

    /// `pass`, `fail` or `skip`.
    pub fn word(&self) -> &'static str {
        match self.skipped {
            Some(_) => "skip",
            None if self.is_pass() => "pass",
            None => "fail",
        }
    }

    /// Every phase that happened in some trial, over those in which it did.
    pub fn summary(&self) -> Vec<(Phase, Summary)> {
        let summaries = Phase::ALL.into_iter().filter_map(|phase| {
            let spans = self.trials.iter().filter_map(|trial| trial.timeline.phases.get(phase));
            Some((phase, Summary::of(spans.map(Span::length).collect())?))
        });
        summaries.collect()
    }
}

impl TrialResult {
    /// Understands a trial.
    pub fn of(trial: &Trial, header: &Header) -> Self {
        let timeline = trial.timeline(&header.settings.unit);
        let verdict = judge(&timeline, &trial.witness, &header.expect, &header.settings);
        // What each process of a hung service did is in the report's summary already.
        let is_detail = |entry: &&Entry| entry.has("HANGPROOF_EVENT", "hang_report_process");
        let lines =
            trial.entries.iter().filter(|entry| !is_detail(entry)).map(Entry::line).collect::<Vec<_>>();
        let last_lines = lines[lines.len().saturating_sub(LAST_LINES)..].to_vec();
        Self { number: trial.number, seed: trial.seed, timeline, verdict, last_lines }
    }
}

impl Summary {
    fn of(mut lengths: Vec<Duration>) -> Option<Self> {
        lengths.sort_unstable();
        // The nearest rank: always a length that was measured.
        let rank =
            |percent: usize| lengths.get((percent * lengths.len()).div_ceil(100).saturating_sub(1)).copied();
        Some(Self { min: rank(0)?, p50: rank(50)?, p90: rank(90)?, p99: rank(99)?, max: rank(100)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_measured_values() {
        let ms = |values: &[u64]| values.iter().map(|&ms| Duration::from_millis(ms)).collect::<Vec<_>>();
        let Summary { min, p50, p90, p99, max } = Summary::of(ms(&[5, 1, 3, 2, 4])).expect("five");
        assert_eq!(ms(&[1, 3, 5, 5, 5]), [min, p50, p90, p99, max]);
        let one = Summary::of(ms(&[7])).expect("one");
        assert_eq!((one.min, one.p50, one.max), (ms(&[7])[0], ms(&[7])[0], ms(&[7])[0]));
        assert_eq!(Summary::of(Vec::new()), None);
    }
}
