//! The account of a run: what has come of its cases so far, for the terminal and for reports.

use std::path::Path;

use crate::commands::{print, tell, total};
use crate::error::{Error, of_verdicts};
use crate::model::call::Call;
use crate::model::claim::{Claim, Decision};
use crate::model::result::{RunResult, TrialResult};
use crate::model::story::Story;
use crate::plan::Case;
use crate::pool::News;
use crate::progress::Progress;
use crate::run::RunError;

/// What has come of the scenarios so far, in the order of the plan.
pub struct Account<'a> {
    runs: Vec<Ended>,
    /// What is to be shown or refuted of each of them.
    claim: Option<&'a Claim>,
    /// This one, and those that are resumed.
    pub calls: Vec<Call>,
    /// How many of them were told.
    told: usize,
    /// Whether anything of any was printed.
    has_printed: bool,
}

#[derive(Default)]
struct Ended {
    /// The name of the scenario, its first case, and how many there are to be.
    scenario: String,
    first: Option<Case>,
    planned: usize,
    stories: Vec<Story>,
    /// How many trials speak for the claim, and against it.
    counts: (u32, u32),
    error: Option<Error>,
    is_done: bool,
}

impl<'a> Account<'a> {
    /// Of these cases of each scenario.
    pub fn of(claim: Option<&'a Claim>, cases: &[Vec<Case>]) -> Self {
        let runs = cases.iter().map(|cases| {
            let scenario = cases.first().map(|case| case.plan.scenario.clone()).unwrap_or_default();
            Ended { scenario, first: cases.first().cloned(), planned: cases.len(), ..Ended::default() }
        });
        Self { runs: runs.collect(), claim, calls: Vec::new(), told: 0, has_printed: false }
    }

    /// Takes in what a pool tells.
    pub fn take(&mut self, news: News) {
        match news {
            News::Made(scenario, story) => self.made(scenario, *story),
            News::Failed(scenario, error) => drop(self.runs[scenario].error.get_or_insert(error)),
            News::Done(scenario) => self.runs[scenario].is_done = true,
        }
    }

    /// Takes in what was made before.
    pub fn take_over(&mut self, scenario: usize, stories: Vec<Story>) {
        for story in stories {
            self.made(scenario, story);
        }
        let run = &mut self.runs[scenario];
        run.is_done = run.stories.len() == run.planned;
    }

    fn made(&mut self, scenario: usize, story: Story) {
        let run = &mut self.runs[scenario];
        if let Some(claim) = self.claim {
            let trial = TrialResult::of(&story);
            match claim.counts(&trial.verdict, &trial.timeline.phases, story.settings.as_ref()) {
                Some(true) => run.counts.0 += 1,
                Some(false) => run.counts.1 += 1,
                None => {}
            }
        }
        let place = run.stories.partition_point(|made| made.plan.trial < story.plan.trial);
        run.stories.insert(place, story);
    }

    /// Whether the claim is shown or refuted of a scenario.
    pub fn is_decided(&self, scenario: usize) -> bool {
        let (yes, no) = self.runs[scenario].counts;
        self.claim.is_some_and(|claim| claim.account(yes, no).decision != Decision::Open)
    }

    /// Whether it can be.
    pub fn is_decidable(&self, scenario: usize) -> Result<(), Error> {
        let run = &self.runs[scenario];
        let settings = run.stories.last().and_then(|story| story.settings.as_ref());
        match (self.claim, settings) {
            (Some(claim), Some(settings)) if claim.is_without_limit(settings) => {
                Err(Error::Claim { claim: claim.clone(), scenario: run.scenario.clone() })
            }
            _ => Ok(()),
        }
    }

    /// There will be no more news.
    pub fn finish(&mut self) {
        self.runs.iter_mut().for_each(|run| run.is_done = true);
    }

    /// What there is to be reported.
    pub fn results(&self) -> Vec<RunResult> {
        self.runs.iter().filter_map(|run| self.reported(run)).collect()
    }

    /// Of a scenario that broke a report says so; in the terminal the error does.
    fn reported(&self, run: &Ended) -> Option<RunResult> {
        let (Some(error), Some(Case { id, plan })) = (&run.error, &run.first) else {
            return self.result(run);
        };
        let first = Story::new(*id, plan.clone());
        Some(RunResult::broken(&run.stories, &first, error.to_string())?.claimed(self.claim))
    }

    fn result(&self, run: &Ended) -> Option<RunResult> {
        Some(RunResult::of(&run.stories)?.claimed(self.claim))
    }

    /// Prints what is done, up to the first that is not.
    pub fn tell(&mut self, progress: &dyn Progress) -> Result<(), Error> {
        while let Some(run) = self.runs.get(self.told).filter(|run| run.is_done) {
            let (mut printed, mut has_printed) = (Ok(()), self.has_printed);
            progress.aside(&mut || {
                if let Some(result) = self.result(run) {
                    printed = print(&result, !has_printed);
                    has_printed = true;
                }
                if let Some(error) = run.error.as_ref().filter(|error| !is_interrupt(error)) {
                    // One of several does not show whose it is.
                    let whose = if self.runs.len() > 1 { &*run.scenario } else { "" };
                    let colon = if whose.is_empty() { "" } else { ": " };
                    tell(&format!("{whose}{colon}{error}"));
                }
            });
            self.has_printed = has_printed;
            printed?;
            self.told += 1;
        }
        Ok(())
    }

    /// Of a run that did not come to its end, what is missing, and how to have it, where there is a recording of it.
    pub fn tell_what_is_missing(&self, recording: Option<&Path>) {
        let is_cut = self.runs.iter().any(|run| run.error.is_some());
        let short = |run: &&Ended| {
            run.planned > 1
                && run.stories.len() < run.planned
                && run.stories.iter().all(|story| story.skipped.is_none())
        };
        for run in self.runs.iter().filter(short).filter(|_| is_cut) {
            let (made, planned) = (run.stories.len(), run.planned);
            let how = recording.map(|path| format!(": --resume {} makes them", path.display()));
            let how = how.unwrap_or_default();
            tell(&format!(
                "of {}, {made} of {planned} cases were made, and {} are missing{how}",
                run.scenario,
                planned - made
            ));
        }
    }

    /// The exit code of the verdicts, which are told of all.
    pub fn verdict(self, is_interrupted: bool) -> Result<u8, Error> {
        // A program that the terminal interrupted together with us fails in a way of its own.
        if is_interrupted {
            return Err(RunError::Interrupted.into());
        }
        let results = self.results();
        total(&results)?;
        match self.runs.into_iter().find_map(|run| run.error) {
            Some(error) => Err(Error::Told(error.exit_code())),
            None => Ok(of_verdicts(&results)),
        }
    }
}

fn is_interrupt(error: &Error) -> bool {
    matches!(error, Error::Run(RunError::Interrupted))
}
