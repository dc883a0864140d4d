//! What recordings mean: timelines, verdicts and their summary. Every report is made from this.

use super::bound::Bounds;
use super::case::CaseId;
use super::clock::Usec;
use super::description::Description;
use super::expect::Expectation;
use super::phase::{Phase, Span};
use super::settings::Settings;
use super::statistics::Summary;
use super::story::Story;
use super::timeline::Timeline;
use super::verdict::Verdict;

/// A run, understood: the trials of a scenario.
#[derive(Clone, Debug)]
pub struct RunResult {
    /// What it was about.
    pub about: About,
    /// What the unit allows.
    pub bounds: Bounds,
    /// Its trials.
    pub trials: Vec<TrialResult>,
    /// Why there are none, if there was nothing to try.
    pub skipped: Option<String>,
}

/// What a run was about.
#[derive(Clone, Debug, PartialEq)]
pub struct About {
    /// The scenario's name.
    pub scenario: String,
    /// Its description.
    pub description: String,
    /// Its fault.
    pub fault: Option<String>,
    /// What it expects.
    pub expect: Expectation,
    /// From one ask of the observer to the next; absent for [`TICK`](super::ask::TICK).
    pub ask_interval_usec: Option<u64>,
    /// What was booted.
    pub machine: Option<Description>,
    /// The unit as systemd understood it.
    pub settings: Option<Settings>,
}

/// A trial, understood.
#[derive(Clone, Debug)]
pub struct TrialResult {
    /// Which case.
    pub case: CaseId,
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

impl RunResult {
    /// Understands the stories of one run: those of a scenario's trials, at least one.
    pub fn of(stories: &[Story]) -> Option<Self> {
        let first = stories.first()?;
        // What systemd has told last is what it knows of a unit that runs.
        let last = |told: fn(&Story) -> Option<&Settings>| stories.iter().rev().find_map(told).cloned();
        let about = About {
            scenario: first.plan.scenario.clone(),
            description: first.plan.description.clone(),
            fault: first.plan.fault.clone(),
            expect: first.plan.expect.clone(),
            ask_interval_usec: first.plan.ask_interval_usec,
            machine: first.machine.clone(),
            settings: last(|story| story.settings.as_ref()),
        };
        let made = stories.iter().filter(|story| story.skipped.is_none());
        let trials = made.map(TrialResult::of).collect::<Vec<_>>();
        let bounds = about.settings.as_ref().map(Bounds::of).unwrap_or_default();
        let widened = trials.iter().filter_map(|trial| trial.timeline.widened()).max();
        let bounds = match (widened, &about.settings) {
            (Some(percent), Some(settings)) => bounds.widened(settings, percent),
            _ => bounds,
        };
        let skipped = first.skipped.clone().filter(|_| trials.is_empty());
        Some(Self { about, bounds, trials, skipped })
    }

    /// Understands the stories of several runs, in whatever order their trials were made: of a scenario no run has two trials of one
    /// number.
    pub fn all_of(stories: &[Story]) -> Vec<Self> {
        let mut runs: Vec<Vec<Story>> = Vec::new();
        for story in stories {
            let (scenario, trial) = (&story.plan.scenario, story.plan.trial);
            let last = runs.iter_mut().rev().find(|run| run[0].plan.scenario == *scenario);
            match last.filter(|run| run.iter().all(|made| made.plan.trial != trial)) {
                Some(run) => run.push(story.clone()),
                None => runs.push(vec![story.clone()]),
            }
        }
        let of_run = |mut run: Vec<Story>| {
            run.sort_by_key(|story| story.plan.trial);
            Self::of(&run)
        };
        runs.into_iter().filter_map(of_run).collect()
    }

    /// Whether every trial was as expected.
    pub fn is_pass(&self) -> bool {
        self.trials.iter().all(|trial| trial.verdict.is_pass())
    }

    /// How many trials were as expected.
    pub fn passed(&self) -> usize {
        self.trials.iter().filter(|trial| trial.verdict.is_pass()).count()
    }

    /// `pass`, `fail`, `skip` or `unsound`.
    pub fn word(&self) -> &'static str {
        let has = |word: &str| self.trials.iter().any(|trial| trial.verdict.word() == word);
        match self.skipped {
            Some(_) => "skip",
            None if has("fail") => "fail",
            None if has("unsound") => "unsound",
            None => "pass",
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
    /// Understands a trial that was made to its end.
    pub fn of(story: &Story) -> Self {
        let now = story.ended.or(story.began).unwrap_or(Usec(0));
        Self {
            case: story.case,
            number: story.plan.trial,
            seed: story.plan.seed,
            timeline: story.timeline(now),
            verdict: story.verdict(),
            last_lines: story.last_lines(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::case::Plan;

    fn story(scenario: &str, trial: u32) -> Story {
        let plan = Plan {
            scenario: scenario.into(),
            description: String::new(),
            unit: "x.service".into(),
            trial,
            seed: 1,
            fault: None,
            expect: serde_json::from_str(r#"{"outcome":"undisturbed"}"#).expect("an expectation"),
            ask_interval_usec: None,
        };
        Story::new(CaseId::of(scenario, trial), plan)
    }

    #[test]
    fn a_run_has_each_trial_once_in_whatever_order_they_were_made() {
        let stories = [("a", 2), ("a", 1), ("b", 1), ("a", 4), ("a", 3), ("a", 1), ("a", 2)];
        let stories = stories.map(|(scenario, trial)| story(scenario, trial));
        let runs = RunResult::all_of(&stories);
        let trials = runs.iter().map(|run| {
            let numbers = run.trials.iter().map(|trial| trial.number).collect::<Vec<_>>();
            (run.about.scenario.as_str(), numbers)
        });
        assert_eq!(trials.collect::<Vec<_>>(), [("a", vec![1, 2, 3, 4]), ("b", vec![1]), ("a", vec![1, 2])]);
    }
}
