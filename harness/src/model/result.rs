//! What recordings mean: timelines, verdicts and their summary. Every report is made from this.

use std::collections::HashSet;

use super::bound::Bounds;
use super::case::CaseId;
use super::claim::{Account, Claim, Decision};
use super::clock::Usec;
use super::description::Description;
use super::episode::{self, Episode};
use super::expect::{Deed, Expectation};
use super::load::Tally;
use super::phase::{Phase, Span};
use super::recording::Recording;
use super::settings::Settings;
use super::statistics::Summary;
use super::story::Story;
use super::timeline::{LeftOver, Timeline};
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
    /// Why it was not made to its end, if it was not.
    pub broke: Option<String>,
    /// What they say of a claim, where they were made to show or refute one.
    pub claim: Option<(Claim, Account)>,
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
    /// What clients asked, how often, how long they waited, and what of it was good, in words.
    pub observed: Option<String>,
    /// From one ask of the observer to the next; absent for [`TICK`](super::ask::TICK).
    pub ask_interval_usec: Option<u64>,
    /// What was booted.
    pub machine: Option<Description>,
    /// The unit as systemd understood it.
    pub settings: Option<Settings>,
    /// What a person should know of how the service was installed.
    pub notes: Vec<String>,
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
    /// What happened; of several faults, after the first until the second.
    pub timeline: Timeline,
    /// The first fault, if anything was to be injected.
    pub first_fault: Option<String>,
    /// What happened after each further fault.
    pub later: Vec<Episode>,
    /// Whether that was as expected.
    pub verdict: Verdict,
    /// What became of the requests of a load, where there was one.
    pub load: Option<Tally>,
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
            observed: first.plan.observed.clone(),
            ask_interval_usec: first.plan.ask_interval_usec,
            machine: first.machine.clone(),
            settings: last(|story| story.settings.as_ref()),
            notes: notes(stories),
        };
        let made = stories.iter().filter(|story| story.skipped.is_none());
        let trials = made.map(TrialResult::of).collect::<Vec<_>>();
        let bounds = about.settings.as_ref().map(Bounds::of).unwrap_or_default();
        let left_over =
            |settings| trials.iter().filter_map(move |trial| trial.timeline.left_over(settings)).min();
        let bounds = match about.settings.as_ref().map(|settings| (settings, left_over(settings))) {
            Some((settings, Some(LeftOver::AfterTheMainProcess))) => bounds.with_left_over(settings),
            Some((settings, Some(LeftOver::WithTheMainProcess))) => bounds.with_end_untold(settings),
            _ => bounds,
        };
        let widened = trials.iter().filter_map(|trial| trial.timeline.widened()).max();
        let is_silenced = trials.iter().any(|trial| trial.timeline.deed() == Deed::Silences);
        let bounds = match (widened, &about.settings) {
            (_, Some(settings)) if is_silenced => bounds.silenced(settings),
            (Some(percent), Some(settings)) => bounds.widened(settings, percent),
            _ => bounds,
        };
        let skipped = first.skipped.clone().filter(|_| trials.is_empty());
        Some(Self { about, bounds, trials, skipped, broke: None, claim: None })
    }

    /// The same of a run that broke: of the trials that were made, or of a first case that was not.
    pub fn broken(stories: &[Story], first: &Story, reason: String) -> Option<Self> {
        let run = match stories {
            [] => Self { trials: Vec::new(), ..Self::of(std::slice::from_ref(first))? },
            made => Self::of(made)?,
        };
        Some(Self { broke: Some(reason), ..run })
    }

    /// Understands recordings: the trials that were made, and the scenarios that broke.
    pub fn of_recordings<'a>(recordings: impl IntoIterator<Item = &'a Recording>) -> Vec<Self> {
        let (mut stories, mut cut, mut made) = (Vec::new(), Vec::new(), HashSet::new());
        for recording in recordings {
            // What is in several counts once.
            stories.extend(recording.stories.iter().filter(|story| made.insert(story.case)).cloned());
            cut.extend(&recording.cut);
        }
        let mut runs = Self::all_of(&stories);
        // What broke may have been made elsewhere, or later.
        for story in cut.into_iter().filter(|story| !made.contains(&story.case)) {
            let Some(reason) = story.broke.clone() else { continue };
            let scenario = &story.plan.scenario;
            match runs.iter_mut().rev().find(|run| run.about.scenario == *scenario) {
                Some(run) => drop(run.broke.get_or_insert(reason)),
                None => runs.extend(Self::broken(&[], story, reason)),
            }
        }
        runs
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

    /// The same, held against a claim.
    #[must_use]
    pub fn claimed(mut self, claim: Option<&Claim>) -> Self {
        let settings = self.about.settings.as_ref();
        self.claim = claim.map(|claim| {
            let counts = self
                .trials
                .iter()
                .filter_map(|trial| claim.counts(&trial.verdict, &trial.timeline.phases, settings));
            let (yes, no): (Vec<bool>, Vec<bool>) = counts.partition(|is_so| *is_so);
            let count = |all: &[bool]| u32::try_from(all.len()).unwrap_or(u32::MAX);
            (claim.clone(), claim.account(count(&yes), count(&no)))
        });
        self
    }

    /// Whether the claim was shown; without one, whether every trial was as expected.
    pub fn is_pass(&self) -> bool {
        match &self.claim {
            Some((_, account)) if self.skipped.is_none() => account.decision == Decision::Shown,
            _ => self.broke.is_none() && self.trials.iter().all(|trial| trial.verdict.is_pass()),
        }
    }

    /// How many trials were as expected.
    pub fn passed(&self) -> usize {
        self.trials.iter().filter(|trial| trial.verdict.is_pass()).count()
    }

    /// How many trials say something of the service.
    pub fn sound(&self) -> usize {
        self.trials.iter().filter(|trial| trial.verdict.is_sound()).count()
    }

    /// `pass`, `fail`, `skip` or `unsound`.
    pub fn word(&self) -> &'static str {
        let has = |word: &str| self.trials.iter().any(|trial| trial.verdict.word() == word);
        let decision = self.claim.as_ref().map(|(_, account)| account.decision);
        match self.skipped {
            Some(_) => "skip",
            None if decision == Some(Decision::Shown) => "pass",
            None if decision == Some(Decision::Refuted) => "fail",
            None if has("fail") => "fail",
            None if has("unsound") || self.broke.is_some() => "unsound",
            // Nothing is shown by what is open.
            None if decision.is_some() => "fail",
            None => "pass",
        }
    }

    /// Every phase that happened in some sound trial, over those in which it did; of several faults, after the first.
    pub fn summary(&self) -> Vec<(Phase, Summary)> {
        self.summary_of(0)
    }

    /// The same after the fault of this number, from 0.
    pub fn summary_of(&self, number: usize) -> Vec<(Phase, Summary)> {
        let summaries = Phase::ALL.into_iter().filter_map(|phase| {
            let sound = self.trials.iter().filter(|trial| trial.verdict.is_sound());
            let spans = sound.filter_map(|trial| trial.episodes().nth(number)?.1.phases.get(phase));
            Some((phase, Summary::of(spans.map(Span::length).collect())?))
        });
        summaries.collect()
    }

    /// The names of the faults, where there were several in a trial; else one without a name.
    pub fn episodes(&self) -> Vec<Option<String>> {
        let names =
            self.trials.iter().map(|trial| trial.episodes().map(|(name, _)| name).collect::<Vec<_>>());
        names.max_by_key(Vec::len).unwrap_or_else(|| vec![None])
    }
}

/// Each machine has its own notes, and most have the same.
fn notes(stories: &[Story]) -> Vec<String> {
    let mut seen = HashSet::new();
    stories.iter().flat_map(|story| &story.notes).filter(|note| seen.insert(*note)).cloned().collect()
}

impl TrialResult {
    /// What happened after each fault, with its name where there are several.
    pub fn episodes(&self) -> impl Iterator<Item = (Option<String>, &Timeline)> {
        let is_one = self.later.is_empty();
        let first = (!is_one).then(|| episode::name(0, self.first_fault.as_deref()));
        let later = self.later.iter().zip(1..);
        let later = later.map(|(episode, number)| {
            (Some(episode::name(number, episode.fault.as_deref())), &episode.timeline)
        });
        std::iter::once((first, &self.timeline)).chain(later)
    }

    /// Understands a trial that was made to its end.
    pub fn of(story: &Story) -> Self {
        let now = story.ended.or(story.began).unwrap_or(Usec(0));
        let mut episodes = story.episodes(now);
        let later = episodes.split_off(1);
        let Episode { fault: first_fault, timeline, .. } = episodes.remove(0);
        Self {
            case: story.case,
            number: story.plan.trial,
            seed: story.plan.seed,
            timeline,
            first_fault,
            later,
            verdict: story.verdict(),
            load: story.witness().load().cloned(),
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
            heal_after_usec: None,
            then: Vec::new(),
            expect: serde_json::from_str(r#"{"outcome":"undisturbed"}"#).expect("an expectation"),
            observed: None,
            ask_interval_usec: None,
        };
        Story::new(CaseId::of(scenario, trial), plan)
    }

    #[test]
    fn a_trial_that_says_nothing_of_the_service_is_in_no_figure() {
        let stories = [1, 2, 3].map(|trial| story("a", trial));
        let mut run = RunResult::of(&stories).expect("a run");
        let span = |to| Some(Span { from: Usec(0), to: Usec(to) });
        let verdicts = [
            Verdict::Pass { summary: "well".into() },
            Verdict::Fail { reasons: vec!["badly".into()] },
            Verdict::Unsound { reasons: vec!["late".into()] },
        ];
        for ((trial, verdict), to) in run.trials.iter_mut().zip(verdicts).zip([10, 20, 1000]) {
            trial.verdict = verdict;
            trial.timeline.phases.recovery = span(to);
        }
        let (phase, summary) = run.summary().remove(0);
        assert_eq!((phase, summary.count, summary.max.as_micros()), (Phase::Recovery, 2, 20));
        assert_eq!((run.passed(), run.sound(), run.word(), run.is_pass()), (1, 2, "fail", false));
        run.trials.remove(1);
        assert_eq!((run.passed(), run.sound(), run.word(), run.is_pass()), (1, 1, "unsound", false));
        run.trials.remove(1);
        assert_eq!((run.word(), run.is_pass()), ("pass", true));
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

    #[test]
    fn a_recording_tells_of_each_scenario_that_broke_unless_it_was_made_elsewhere() {
        let broken = |scenario: &str, trial, reason: Option<&str>| {
            let mut story = story(scenario, trial);
            story.broke = reason.map(Into::into);
            story
        };
        let recording = |stories: Vec<Story>, cut: Vec<Story>| Recording { stories, cut, calls: Vec::new() };
        let first = recording(
            vec![story("a", 1)],
            vec![
                broken("a", 2, Some("no machine")),
                broken("a", 3, Some("none either")),
                broken("b", 1, Some("no such unit")),
                broken("c", 1, None),
            ],
        );
        let told = |recordings: &[&Recording]| {
            let runs = RunResult::of_recordings(recordings.iter().copied()).into_iter();
            runs.map(|run| (run.about.scenario.clone(), run.trials.len(), run.broke.clone()))
                .collect::<Vec<_>>()
        };
        let (a, b) = ("a".to_owned(), "b".to_owned());
        assert_eq!(
            told(&[&first]),
            [(a.clone(), 1, Some("no machine".into())), (b.clone(), 0, Some("no such unit".into()))]
        );
        let second = recording(vec![story("a", 1), story("a", 2), story("a", 3), story("b", 1)], Vec::new());
        assert_eq!(told(&[&first, &second]), [(a, 3, None), (b, 1, None)]);
    }

    #[test]
    fn a_run_that_broke_is_not_passed_whether_or_not_a_trial_was_made() {
        let told = || "no such socket".to_owned();
        let first = story("a", 1);
        let none = RunResult::broken(&[], &first, told()).expect("a result");
        assert_eq!((none.word(), none.is_pass(), none.trials.len()), ("unsound", false, 0));
        assert_eq!((none.about.scenario.as_str(), none.broke.as_deref()), ("a", Some("no such socket")));
        let made = RunResult::broken(&[story("a", 1)], &first, told()).expect("a result");
        assert_eq!((made.word(), made.is_pass(), made.trials.len()), ("unsound", false, 1));
    }
}
