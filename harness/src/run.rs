//! A run: boots a machine, installs the unit, and makes trials one after another.
//!
//! Everything that happens arrives in one channel, and everything that is waited for is a condition on what has
//! arrived, with a deadline. Nothing is computed here that a recording could not give again.

use std::time::Duration;

pub use self::error::RunError;

use self::conductor::Conductor;
use self::follower::Follower;
use self::inputs::{Input, Inputs};
use self::observer::Observer;
use crate::fault::{CLIENT, Fault};
use crate::machine::Machine;
use crate::model::case::{CaseId, Plan};
use crate::model::clock::Usec;
use crate::model::moment::{Because, Moment, What};
use crate::model::result::RunResult;
use crate::model::settings::Settings;
use crate::model::story::Story;
use crate::programs::Programs;
use crate::progress::Progress;
use crate::record::Sink;
use crate::scenario::Scenario;

mod conductor;
mod error;
pub mod evidence;
mod follower;
pub mod inputs;
pub mod install;
mod observer;
mod room;

/// How long a command in the machine may take that only tells systemd something.
const COMMAND: Duration = Duration::from_secs(10);

/// What a user decides about a run.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many trials.
    pub trials: u32,
    /// The first trial's seed; each following one has the next number.
    pub seed: u64,
}

/// How a run ended: what it has shown, and why it could not go on.
pub struct Ended {
    /// The trials that were made, if there were any.
    pub result: Option<RunResult>,
    /// What ended it early.
    pub error: Option<RunError>,
}

/// What a run is given: everything it needs from outside.
pub struct Setting<'a> {
    /// The machine, which the caller closes.
    pub machine: &'a dyn Machine,
    /// The question.
    pub scenario: &'a Scenario,
    /// The programs that the scenario may name.
    pub programs: &'a Programs,
    /// Where everything arrives that happens.
    pub inputs: &'a Inputs,
    /// Who hears of the progress.
    pub progress: &'a dyn Progress,
}

/// Makes the trials of a scenario, one after another.
pub fn run(setting: &Setting, options: &Options, sink: &mut dyn Sink) -> Ended {
    let mut numbers = 1..=options.trials;
    let Worked { stories, error } = work(setting, options.seed, &mut || numbers.next(), sink);
    Ended { result: RunResult::of(&stories), error }
}

/// What one machine has come to.
pub struct Worked {
    /// Of the trials that were made on it.
    pub stories: Vec<Story>,
    /// What ended it early.
    pub error: Option<RunError>,
}

/// Makes trials of a scenario on one machine, while there is a `next`: its number, from 1.
pub fn work(
    setting: &Setting,
    seed: u64,
    next: &mut dyn FnMut() -> Option<u32>,
    sink: &mut dyn Sink,
) -> Worked {
    let mut stories = Vec::new();
    let error = make_trials(setting, seed, next, sink, &mut stories).err().map(|error| match error {
        RunError::Interrupted | RunError::Recording(_) => error,
        // Whatever a dying machine answers, that it died is what matters.
        error => setting.machine.obituary().map_or(error, RunError::Journal),
    });
    Worked { stories, error }
}

fn make_trials(
    setting: &Setting,
    seed: u64,
    next: &mut dyn FnMut() -> Option<u32>,
    sink: &mut dyn Sink,
    stories: &mut Vec<Story>,
) -> Result<(), RunError> {
    let Setting { machine, scenario, inputs, progress, .. } = *setting;
    let Some(first) = next() else { return Ok(()) };
    progress.stage(&format!("installing {}", scenario.service.unit_name()));
    let since = Usec::now();
    let mut settings = install::install(machine, &scenario.service, setting.programs)?;
    let case = |number: u32| {
        let seed = seed.wrapping_add(u64::from(number - 1));
        (CaseId::of(&scenario.content(), number), scenario.plan(number, seed))
    };
    for said in install::ignored(machine, &scenario.service, since)? {
        progress.note(&format!("systemd says: {said}"));
    }
    if let Some(reason) = install::missing(machine, &scenario.service)? {
        stories.push(skip(setting, sink, case(first), reason)?);
        return Ok(());
    }
    if let Some(Fault::InProcess(_)) = scenario.fault {
        let argv = ["test", "-x", CLIENT];
        if !machine.run(&argv, COMMAND)?.status.success() {
            let said = format!("there is no {CLIENT} in the machine");
            return Err(conductor::not_buggy(scenario.fault, said));
        }
    }
    let _journal = Follower::start(machine, &settings.unit, inputs)?;
    let asks = inputs.sender();
    let observer = Observer::start(&machine.network(), &scenario.observe, move |ask| {
        asks.send(Input::Ask(ask));
    })?;
    let mut number = first;
    loop {
        let restart = match stories.last() {
            Some(last) => {
                // The trials' own restarts must not add up to the unit's start limit.
                conductor::reset(setting, &settings.unit)?;
                conductor::is_to_be_restarted(setting, last)?
            }
            None => false,
        };
        let mut conductor = Conductor::begin(setting, &observer, sink, case(number), settings.clone())?;
        let started =
            if stories.is_empty() { first_start(&mut conductor, machine, &mut settings) } else { Ok(true) };
        let has_served = stories.iter().any(|story| story.witness().was_served());
        let (is_up, conducted) = match started {
            Ok(true) => (true, conductor.conduct(restart, has_served)),
            Ok(false) => (false, Ok(())),
            Err(error) => (false, Err(error)),
        };
        let story = conductor.end(conducted)?;
        // A guard beside the service has told its settings once.
        settings.guard = story.settings.as_ref().and_then(|settings| settings.guard.clone());
        stories.push(story);
        match next().filter(|_| is_up) {
            Some(following) => number = following,
            None => return Ok(()),
        }
    }
}

/// Whether the service starts on this machine. systemd tells more of a unit that has.
fn first_start(
    conductor: &mut Conductor,
    machine: &dyn Machine,
    settings: &mut Settings,
) -> Result<bool, RunError> {
    let started = conductor.start("start")?;
    *settings = install::settings(machine, &settings.unit)?;
    conductor.told(settings.clone())?;
    Ok(started)
}

/// There is nothing to try.
fn skip(
    setting: &Setting,
    sink: &mut dyn Sink,
    (case, plan): (CaseId, Plan),
    reason: String,
) -> Result<Story, RunError> {
    let mut story = Story::new(case, plan.clone());
    let at = Usec::now();
    for what in [
        What::Planned(Box::new(plan)),
        What::Booted(setting.machine.description().clone()),
        What::Skipped(Because { reason }),
    ] {
        let moment = Moment { at, case, what };
        sink.take(&moment)?;
        story.take(&moment);
    }
    Ok(story)
}
