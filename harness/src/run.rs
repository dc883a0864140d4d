//! A run: boots a machine, installs the unit, and makes trials one after another.
//!
//! Everything that happens arrives in one channel, and everything that is waited for is a condition on what has
//! arrived, with a deadline. Nothing is computed here that a recording could not give again.

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::ChaCha12Rng;
use rand::{RngExt as _, SeedableRng};

use self::inputs::{Input, Inputs};
use crate::clock::Usec;
use crate::event::{self, Kind};
use crate::fault;
use crate::journal;
use crate::machine::{Machine, MachineError, StreamGuard};
use crate::outage::Observer;
use crate::patience::{self, Patience};
use crate::programs::ProgramError;
use crate::progress::Progress;
use crate::record::{Header, Record, Recorder, Recording, SCHEMA, Trial};
use crate::result::RunResult;
use crate::scenario::Scenario;
use crate::timeline::Timeline;
use crate::unit::{Settings, UnitError};

pub mod evidence;
pub mod inputs;
pub mod install;

const COMMAND: Duration = Duration::from_secs(10);
/// How long after READY the first good answer may take before there is nothing to observe.
const FIRST_ANSWER: Duration = Duration::from_secs(5);

/// What a user decides about a run.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many trials.
    pub trials: u32,
    /// The first trial's seed; each following one has the next number.
    pub seed: u64,
}

/// Why a run could not be finished.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No machine, or it broke.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// A program is missing.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The unit cannot be used.
    #[error("{0}{log}", log = Log(.1))]
    Unit(UnitError, Vec<String>),
    /// A file that the scenario names cannot be read.
    #[error("{}: {source}", .path.display())]
    File {
        /// The file.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The journal could not be followed to the end.
    #[error("the machine broke: {0}")]
    Journal(String),
    /// A report or the recording could not be written.
    #[error("writing the recording: {0}")]
    Recording(#[from] std::io::Error),
    /// The service is up and nobody can ask it.
    #[error(
        "the service is ready, but {url} gave no good answer within 5 s ({seen}). Is [observe] http right?"
    )]
    NotServed {
        /// What was asked.
        url: String,
        /// What came instead.
        seen: String,
    },
    /// Ctrl-C, SIGTERM or SIGHUP.
    #[error("interrupted")]
    Interrupted,
}

struct Log<'a>(&'a [String]);

impl std::fmt::Display for Log<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|line| write!(f, "\n    {line}"))
    }
}

/// Runs `scenario` on `machine`, which the caller closes.
pub fn run(
    machine: &dyn Machine,
    scenario: &Scenario,
    options: &Options,
    inputs: &Inputs,
    progress: &dyn Progress,
    recorder: &mut Recorder,
) -> Result<RunResult, RunError> {
    progress.stage(&format!("installing {}", scenario.service.unit_name()));
    let settings = install::install(machine, &scenario.service, progress)?;
    let _journal = follow_journal(machine, &settings.unit, inputs)?;
    let asks = inputs.sender();
    let report = move |ask| drop(asks.send(Input::Ask(ask)));
    let _observer = Observer::start(&machine.network(), &scenario.observe, report)?;

    let trial = Trial::begin(1, options.seed);
    let mut bench =
        Bench { machine, scenario, settings, inputs, progress, recorder, trial, is_recording: false };
    let started = bench.start("start")?;
    bench.settings = install::settings(machine, &bench.settings.unit)?;
    let header = Header {
        schema: SCHEMA.into(),
        scenario: scenario.name.clone(),
        description: scenario.description.clone(),
        fault: scenario.fault.clone(),
        expect: scenario.expect.clone(),
        machine: machine.description().clone(),
        settings: bench.settings.clone(),
    };
    let mut recording = Recording { header, trials: Vec::new() };
    bench.begin_recording(&recording.header)?;
    if !started {
        recording.trials.push(bench.end(Ok(()))?);
        return Ok(RunResult::of(&recording));
    }
    for number in 1..=options.trials {
        if number > 1 {
            bench.next(number, options.seed.wrapping_add(u64::from(number - 1)))?;
        }
        let restart = recording.trials.last().is_some_and(|trial| !recording.is_pass(trial));
        let conducted = bench.conduct(restart);
        recording.trials.push(bench.end(conducted)?);
    }
    Ok(RunResult::of(&recording))
}

/// Sends every entry about the unit to `inputs`, from a thread that ends with the guard or the machine.
fn follow_journal(machine: &dyn Machine, unit: &str, inputs: &Inputs) -> Result<StreamGuard, RunError> {
    let (stream, guard) = machine.start(&journal::FOLLOW)?.split();
    let (unit, sender): (Arc<str>, _) = (unit.into(), inputs.sender());
    let follow = move || {
        let ended = journal::read(stream, |entry| {
            !entry.concerns(&unit) || sender.send(Input::Entry(entry.trimmed())).is_ok()
        });
        let _ = sender.send(Input::JournalEnded(ended.err().unwrap_or_else(|| "journalctl ended".into())));
    };
    std::thread::Builder::new()
        .name("journal".into())
        .spawn(follow)
        .map_err(|error| MachineError::broken("following the journal", error))?;
    Ok(guard)
}

/// Where trials are made, and the one in progress.
struct Bench<'a> {
    machine: &'a dyn Machine,
    scenario: &'a Scenario,
    settings: Settings,
    inputs: &'a Inputs,
    progress: &'a dyn Progress,
    recorder: &'a mut Recorder,
    trial: Trial,
    is_recording: bool,
}

impl Bench<'_> {
    /// Writes the header, and what was heard while the settings were not known yet.
    fn begin_recording(&mut self, header: &Header) -> Result<(), RunError> {
        self.is_recording = true;
        self.recorder.write(&Record::Run(Box::new(header.clone())))?;
        let Trial { number, seed, begin: at_usec, .. } = self.trial;
        self.recorder.write(&Record::Trial { number, seed, at_usec })?;
        let mut entries = self.trial.entries.iter().cloned();
        Ok(entries.try_for_each(|entry| self.recorder.write(&Record::Journal { entry }))?)
    }

    /// Begins the next trial.
    fn next(&mut self, number: u32, seed: u64) -> Result<(), RunError> {
        // The trials' own restarts must not add up to the unit's start limit.
        self.machine.run(&["systemctl", "reset-failed", &self.settings.unit], COMMAND)?;
        self.trial = Trial::begin(number, seed);
        Ok(self.recorder.write(&Record::Trial { number, seed, at_usec: self.trial.begin })?)
    }

    /// Ends the trial and hands it over; one that could not be conducted to its end stays open in the recording.
    fn end(&mut self, conducted: Result<(), RunError>) -> Result<Trial, RunError> {
        let trial = std::mem::replace(&mut self.trial, Trial::begin(0, 0));
        for streak in trial.witness.streaks() {
            self.recorder.write(&Record::Clients(streak.clone()))?;
        }
        conducted?;
        self.recorder.write(&Record::End { at_usec: Usec::now() })?;
        Ok(trial)
    }

    /// Steady state, injection, recovery. A trial that is disturbed before the injection ends early, and its verdict
    /// says so.
    fn conduct(&mut self, restart: bool) -> Result<(), RunError> {
        if restart && !self.start("restart")? {
            return Ok(());
        }
        self.served()?;
        self.trial.begin = Usec::now();
        self.recorder.write(&Record::Steady { at_usec: self.trial.begin })?;
        let Some(fault) = &self.scenario.fault else {
            self.progress.stage("watching a healthy service");
            return self.settle();
        };
        if self.disturbed_before_injection()? {
            return Ok(());
        }
        self.progress.stage(&format!("injecting {fault}"));
        let at = fault::inject(self.machine, fault)?;
        self.trial.injected = Some((at, fault.clone()));
        self.recorder.write(&Record::Injected { at_usec: at, fault: fault.clone() })?;
        self.progress.stage(&format!("{fault} injected; waiting for the recovery"));
        self.settle()
    }

    /// Starts the service; whether systemd saw READY. A start that failed is not waited for any longer.
    fn start(&mut self, verb: &str) -> Result<bool, RunError> {
        let unit = &self.settings.unit;
        self.progress.stage(&format!("{verb}ing {unit}"));
        self.machine.run(&["systemctl", verb, "--no-block", unit], COMMAND)?;
        let deadline = Usec::now() + patience::start(&self.settings);
        let ended = |kind: &Kind| matches!(kind, Kind::Ready | Kind::StartFailed | Kind::StartLimitHit);
        self.wait_until(deadline, |bench| bench.saw(ended))?;
        Ok(self.saw(|kind| *kind == Kind::Ready))
    }

    /// Waits for clients to be served.
    fn served(&mut self) -> Result<(), RunError> {
        self.trial.witness = crate::outage::Witness::default();
        let deadline = Usec::now() + FIRST_ANSWER;
        if self.wait_until(deadline, |bench| bench.trial.witness.was_served())? {
            return Ok(());
        }
        let seen =
            self.trial.witness.first_bad().map_or("nothing was asked", |(_, reason)| reason).to_owned();
        Err(RunError::NotServed { url: self.scenario.observe.to_string(), seen })
    }

    /// Lets a random part of the probe interval pass, so that trials sample every phase between probe and injection.
    /// Whether something happened to the service meanwhile.
    fn disturbed_before_injection(&mut self) -> Result<bool, RunError> {
        let interval = self.settings.guard.as_ref().map(crate::unit::Guard::interval);
        let interval =
            interval.or_else(|| Some(self.settings.span("WatchdogSec")? / 2)).unwrap_or(COMMAND / 20);
        let part = ChaCha12Rng::seed_from_u64(self.trial.seed).random_range(0.0..1.0);
        let begin = Usec::now();
        let disturbed = move |bench: &Self| {
            let events = bench.trial.events(&bench.settings.unit);
            events.iter().any(|event| event.at >= begin && event.kind.is_disturbance())
        };
        self.wait_until(begin + interval.mul_f64(part), disturbed)
    }

    /// Waits until nothing more can happen that matters.
    fn settle(&mut self) -> Result<(), RunError> {
        loop {
            let trial = &self.trial;
            let timeline = Timeline::new(trial.begin, trial.events(&self.settings.unit), &trial.witness);
            let expect = &self.scenario.expect;
            match patience::after_injection(&timeline, &trial.witness, expect, &self.settings) {
                Patience::Settled => return Ok(()),
                Patience::Until(deadline) => {
                    if !self.take_one(deadline)? {
                        return Ok(());
                    }
                }
            }
        }
    }

    fn saw(&self, wanted: impl Fn(&Kind) -> bool) -> bool {
        self.trial.events(&self.settings.unit).iter().any(|event| wanted(&event.kind))
    }

    /// Takes inputs until `done` or the deadline; whether it was `done`.
    fn wait_until(&mut self, deadline: Usec, done: impl Fn(&Self) -> bool) -> Result<bool, RunError> {
        while !done(self) {
            if !self.take_one(deadline)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Takes one input; `false` at the deadline.
    fn take_one(&mut self, deadline: Usec) -> Result<bool, RunError> {
        match self.inputs.receive(deadline) {
            None => return Ok(false),
            Some(Input::Interrupted) => return Err(RunError::Interrupted),
            Some(Input::JournalEnded(reason)) => return Err(RunError::Journal(reason)),
            // What was under way when the trial began belongs to no trial.
            Some(Input::Ask(ask)) if ask.asked_usec < self.trial.begin => {}
            Some(Input::Entry(entry)) if entry.at().is_none_or(|at| at < self.trial.begin) => {}
            Some(Input::Ask(ask)) => self.trial.witness.add(ask),
            Some(Input::Entry(entry)) => {
                if let Some(event) = event::read(&entry, &self.settings.unit) {
                    self.progress.event(&event.kind.to_string());
                }
                if self.is_recording {
                    self.recorder.write(&Record::Journal { entry: entry.clone() })?;
                }
                self.trial.entries.push(entry);
            }
        }
        Ok(true)
    }
}
