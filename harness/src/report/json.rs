//! `report.json`: the results, for programs.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::load;
use crate::model::bound::Bounds;
use crate::model::call::Call;
use crate::model::case::CaseId;
use crate::model::claim::{Claim, Decision};
use crate::model::clock::Usec;
use crate::model::description::Description;
use crate::model::event::{Event, Kind};
use crate::model::result::{RunResult, TrialResult};
use crate::model::settings::Settings;
use crate::model::statistics::{Summary, at_most};
use crate::model::timeline::Timeline;

/// The format of reports.
pub const SCHEMA: &str = "hangproof/2";

/// Who wrote it.
pub const PROGRAM: &str = concat!("hangproof ", env!("CARGO_PKG_VERSION"));

/// The whole document.
#[derive(Serialize)]
pub struct Document<'a> {
    schema: &'static str,
    program: &'static str,
    /// Empty where an old recording does not tell.
    calls: &'a [Call],
    runs: Vec<Run<'a>>,
}

#[derive(Serialize)]
struct Run<'a> {
    scenario: &'a str,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    broke: Option<&'a str>,
    machine: Option<&'a Description>,
    settings: Option<&'a Settings>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    notes: &'a [String],
    bounds: BTreeMap<String, f64>,
    passed: Passed,
    #[serde(skip_serializing_if = "Option::is_none")]
    claim: Option<Claimed<'a>>,
    trials: Vec<Trial<'a>>,
    summary: BTreeMap<String, Percentiles>,
}

/// How many trials did, and what that says of all.
#[derive(Serialize)]
pub struct Passed {
    count: usize,
    /// Those that are sound.
    of: usize,
    /// Those that say nothing of the service, and are in no figure.
    unsound: usize,
    /// At 95 %, no larger part of all trials does not.
    others_at_most: f64,
}

impl Passed {
    /// So many of those that are sound, and so many that are not.
    pub fn of(count: usize, of: usize, unsound: usize) -> Self {
        Self { count, of, unsound, others_at_most: at_most(of - count, of) }
    }
}

/// What the trials say of a claim, at 95 %.
#[derive(Serialize)]
struct Claimed<'a> {
    claim: &'a Claim,
    decision: Decision,
    yes: u32,
    no: u32,
}

#[derive(Serialize)]
struct Trial<'a> {
    case: CaseId,
    number: u32,
    seed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<&'a str>,
    verdict: &'static str,
    reasons: &'a [String],
    phases: BTreeMap<String, f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    load: Option<load::Document>,
    events: Vec<At<'a>>,
    /// After the first of several faults.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    later: Vec<Later<'a>>,
}

#[derive(Serialize)]
struct Later<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<&'a str>,
    overtaken: bool,
    phases: BTreeMap<String, f64>,
    events: Vec<At<'a>>,
}

#[derive(Serialize)]
struct At<'a> {
    at_ms: f64,
    #[serde(flatten)]
    kind: &'a Kind,
}

/// A phase over some trials, in milliseconds.
#[derive(Serialize)]
pub struct Percentiles {
    count: usize,
    min: f64,
    p50: f64,
    #[serde(flatten)]
    enough: BTreeMap<&'static str, f64>,
    max: f64,
}

impl<'a> Document<'a> {
    /// The document of some runs.
    pub fn of(calls: &'a [Call], runs: &'a [RunResult]) -> Self {
        Self { schema: SCHEMA, program: PROGRAM, calls, runs: runs.iter().map(Run::of).collect() }
    }
}

impl<'a> Run<'a> {
    fn of(run: &'a RunResult) -> Self {
        let about = &run.about;
        let bounds = &run.bounds;
        let limits =
            Bounds::PHASES.into_iter().filter_map(|phase| Some((phase.name(), bounds.timer(phase)?.at_most)));
        let recovery = bounds.recovery().map(|recovery| ("recovery", recovery));
        let expected = about
            .settings
            .as_ref()
            .and_then(|settings| about.expect.limit(settings))
            .map(|limit| ("expected_recovery", limit));
        Self {
            scenario: &about.scenario,
            verdict: run.word(),
            skipped: run.skipped.as_deref(),
            broke: run.broke.as_deref(),
            machine: about.machine.as_ref(),
            settings: about.settings.as_ref(),
            notes: &about.notes,
            bounds: limits
                .chain(recovery)
                .chain(expected)
                .map(|(name, limit)| (in_ms(name), ms(limit)))
                .collect(),
            passed: Passed::of(run.passed(), run.sound(), run.trials.len() - run.sound()),
            claim: run.claim.as_ref().map(|(claim, account)| Claimed {
                claim,
                decision: account.decision,
                yes: account.yes,
                no: account.no,
            }),
            trials: run.trials.iter().map(|trial| Trial::of(trial, about.fault.as_deref())).collect(),
            summary: run
                .summary()
                .into_iter()
                .map(|(phase, summary)| (in_ms(phase.name()), summary.into()))
                .collect(),
        }
    }
}

impl<'a> Trial<'a> {
    fn of(trial: &'a TrialResult, fault: Option<&'a str>) -> Self {
        let later = trial.later.iter().map(|episode| Later {
            fault: episode.fault.as_deref(),
            overtaken: episode.is_overtaken,
            phases: phases(&episode.timeline),
            events: events(&episode.timeline),
        });
        Self {
            case: trial.case,
            number: trial.number,
            seed: trial.seed,
            fault,
            verdict: trial.verdict.word(),
            reasons: trial.verdict.reasons(),
            phases: phases(&trial.timeline),
            load: trial.load.as_ref().map(|load| load::Document::of(load, &trial.timeline)),
            events: events(&trial.timeline),
            later: later.collect(),
        }
    }
}

fn phases(timeline: &Timeline) -> BTreeMap<String, f64> {
    timeline.phases.iter().map(|(phase, span)| (in_ms(phase.name()), ms(span.length()))).collect()
}

fn events<'a>(timeline: &'a Timeline) -> Vec<At<'a>> {
    let at = |event: &'a Event| At { at_ms: event.at.ms_since(timeline.origin), kind: &event.kind };
    timeline.events.iter().map(at).collect()
}

impl From<Summary> for Percentiles {
    fn from(summary: Summary) -> Self {
        let Summary { count, min, p50, p90, p99, max } = summary;
        let told = |name: &'static str, value: Option<Duration>| value.map(|value| (name, ms(value)));
        let enough = [
            told("p50_low", p50.low),
            told("p50_high", p50.high),
            told("p90", p90.map(|quantile| quantile.value)),
            told("p90_low", p90.and_then(|quantile| quantile.low)),
            told("p90_high", p90.and_then(|quantile| quantile.high)),
            told("p99", p99.map(|quantile| quantile.value)),
            told("p99_low", p99.and_then(|quantile| quantile.low)),
            told("p99_high", p99.and_then(|quantile| quantile.high)),
        ];
        let enough = enough.into_iter().flatten().collect();
        Self { count, min: ms(min), p50: ms(p50.value), enough, max: ms(max) }
    }
}

fn in_ms(name: &str) -> String {
    format!("{name}_ms")
}

/// Milliseconds with the microseconds that were measured, and no more.
fn ms(duration: Duration) -> f64 {
    Usec(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)).ms_since(Usec(0))
}

#[cfg(test)]
mod tests;
