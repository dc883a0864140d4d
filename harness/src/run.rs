//! A run: boots a machine, installs the unit, and makes trials one after another.
//!
//! Everything that happens arrives in one channel, and everything that is waited for is a condition on what has
//! arrived, with a deadline. Nothing is computed here that a recording could not give again.

use std::time::Duration;

pub use self::error::RunError;

use self::bench::Bench;
use self::follower::Follower;
use self::inputs::{Input, Inputs};
use crate::machine::Machine;
use crate::model::ask::TICK;
use crate::model::result::RunResult;
use crate::model::settings::Settings;
use crate::programs::Programs;
use crate::progress::Progress;
use crate::record::{Header, Record, Recorder, Recording, SCHEMA, Trial};
use crate::run::observer::Observer;
use crate::scenario::Scenario;

mod bench;
mod error;
pub mod evidence;
mod follower;
pub mod inputs;
pub mod install;
mod observer;

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

/// Makes the trials of a scenario.
pub fn run(setting: &Setting, options: &Options, recorder: &mut Recorder) -> Ended {
    let mut recording = None;
    let error = make_trials(setting, options, recorder, &mut recording).err().map(|error| match error {
        RunError::Interrupted | RunError::Recording(_) => error,
        // Whatever a dying machine answers, that it died is what matters.
        error => setting.machine.obituary().map_or(error, RunError::Journal),
    });
    let shown = |recording: &&Recording| !recording.trials.is_empty() || recording.skipped.is_some();
    let result = recording.as_ref().filter(shown).map(RunResult::of);
    Ended { result, error }
}

fn make_trials(
    setting: &Setting,
    options: &Options,
    recorder: &mut Recorder,
    recording: &mut Option<Recording>,
) -> Result<(), RunError> {
    let Setting { machine, scenario, inputs, progress, .. } = *setting;
    progress.stage(&format!("installing {}", scenario.service.unit_name()));
    let settings = install::install(machine, &scenario.service, setting.programs)?;
    if let Some(reason) = install::missing(machine, &scenario.service)? {
        let header = header(setting, settings);
        recorder.write(&Record::Run(Box::new(header.clone())))?;
        recorder.write(&Record::Skipped { reason: reason.clone() })?;
        *recording = Some(Recording { header, trials: Vec::new(), skipped: Some(reason) });
        return Ok(());
    }
    let _journal = Follower::start(machine, &settings.unit, inputs)?;
    let asks = inputs.sender();
    let report = move |ask| drop(asks.send(Input::Ask(ask)));
    let observer = Observer::start(&machine.network(), &scenario.observe, report)?;

    let trial = Trial::begin(1, options.seed);
    let mut bench = Bench::new(setting, settings, observer, recorder, trial);
    let started = bench.start("start")?;
    bench.settings = install::settings(machine, &bench.settings.unit, started)?;
    let header = header(setting, bench.settings.clone());
    bench.begin_recording(&header)?;
    let recording = recording.insert(Recording { header, trials: Vec::new(), skipped: None });
    if !started {
        recording.trials.push(bench.end(Ok(()))?);
        return Ok(());
    }
    for number in 1..=options.trials {
        if number > 1 {
            bench.next(number, options.seed.wrapping_add(u64::from(number - 1)))?;
        }
        let restart = recording.trials.last().is_some_and(|trial| !recording.is_pass(trial));
        let conducted = bench.conduct(restart);
        recording.trials.push(bench.end(conducted)?);
    }
    Ok(())
}

fn header(setting: &Setting, settings: Settings) -> Header {
    let scenario = setting.scenario;
    let interval = scenario.observe.interval;
    Header {
        schema: SCHEMA.into(),
        scenario: scenario.name.clone(),
        description: scenario.description.clone(),
        fault: scenario.fault.map(|fault| fault.to_string()),
        expect: scenario.expect.clone(),
        ask_interval_usec: (interval != TICK)
            .then(|| u64::try_from(interval.as_micros()).unwrap_or(u64::MAX)),
        machine: setting.machine.description().clone(),
        settings,
    }
}
