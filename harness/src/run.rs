//! A run: boots a machine, installs the unit, and makes trials one after another.
//!
//! Everything that happens arrives in one channel, and everything that is waited for is a condition on what has
//! arrived, with a deadline. Nothing is computed here that a recording could not give again.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rand::rngs::ChaCha12Rng;
use rand::{RngExt as _, SeedableRng};

use self::inputs::{Input, Inputs};
use crate::clock::Usec;
use crate::event::{self, Kind};
use crate::fault;
use crate::journal::{self, Entry};
use crate::machine::{Machine, MachineError, StreamGuard};
use crate::outage::{Observer, Witness};
use crate::patience::{self, Patience};
use crate::programs::Programs;
use crate::progress::Progress;
use crate::record::{Header, Record, Recorder, Recording, SCHEMA, Trial, WriteError};
use crate::result::{LAST_LINES, RunResult};
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

/// How a run ended: what it has shown, and why it could not go on.
pub struct Ended {
    /// The trials that were made, if there were any.
    pub result: Option<RunResult>,
    /// What ended it early.
    pub error: Option<RunError>,
}

/// Why a run could not be finished.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No machine, or it broke.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// The unit cannot be used.
    #[error("{0}{log}", log = Log(.1))]
    Unit(UnitError, Vec<String>),
    /// A file that the scenario names cannot be read.
    #[error("{} cannot be read: {source}. Paths in a scenario are relative to the scenario's own directory", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The journal could not be followed to the end.
    #[error("the machine broke: {0}")]
    Journal(String),
    /// The recording could not be written.
    #[error(transparent)]
    Recording(#[from] WriteError),
    /// The service is up and nobody can ask it.
    #[error("the service is ready, but {url} gave no good answer within 5 s ({seen}). Is [observe] http right?{log}",
        log = Log(.log))]
    NotServed {
        /// What was asked.
        url: String,
        /// What came instead.
        seen: String,
        /// The journal's last lines about the unit.
        log: Vec<String>,
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
    let result = recording.as_ref().filter(|recording| !recording.trials.is_empty()).map(RunResult::of);
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
    let _journal = Follower::start(machine, &settings.unit, inputs)?;
    let asks = inputs.sender();
    let report = move |ask| drop(asks.send(Input::Ask(ask)));
    let observer = Observer::start(&machine.network(), &scenario.observe, report)?;

    let trial = Trial::begin(1, options.seed);
    let mut bench = Bench { setting, settings, observer, recorder, trial, is_recording: false };
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
    bench.begin_recording(&header)?;
    let recording = recording.insert(Recording { header, trials: Vec::new() });
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

/// Sends every entry about the unit to the run's inputs, from a thread that ends with it.
struct Follower {
    closing: Arc<AtomicBool>,
    stream: Option<StreamGuard>,
    thread: Option<JoinHandle<()>>,
}

impl Follower {
    fn start(machine: &dyn Machine, unit: &str, inputs: &Inputs) -> Result<Self, RunError> {
        let (stream, guard) = machine.start(&journal::FOLLOW)?.split();
        let (unit, sender): (Arc<str>, _) = (unit.into(), inputs.sender());
        let closing = Arc::new(AtomicBool::new(false));
        let closed = Arc::clone(&closing);
        let follow = move || {
            let ended = journal::read(stream, |entry| {
                !entry.concerns(&unit) || sender.send(Input::Entry(entry.trimmed())).is_ok()
            });
            if !closed.load(Ordering::SeqCst) {
                let reason = ended.err().unwrap_or_else(|| "journalctl ended".into());
                let _ = sender.send(Input::JournalEnded(reason));
            }
        };
        let thread = std::thread::Builder::new().name("journal".into()).spawn(follow);
        let thread = thread.map_err(|error| MachineError::broken("following the journal", error))?;
        Ok(Self { closing, stream: Some(guard), thread: Some(thread) })
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::SeqCst);
        drop(self.stream.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Where trials are made, and the one in progress.
struct Bench<'a> {
    setting: &'a Setting<'a>,
    settings: Settings,
    observer: Observer,
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
        self.setting.machine.run(&["systemctl", "reset-failed", &self.settings.unit], COMMAND)?;
        self.trial = Trial::begin(number, seed);
        Ok(self.recorder.write(&Record::Trial { number, seed, at_usec: self.trial.begin })?)
    }

    /// Ends the trial and hands it over; one that could not be conducted to its end stays open in the recording.
    fn end(&mut self, conducted: Result<(), RunError>) -> Result<Trial, RunError> {
        let mut trial = std::mem::replace(&mut self.trial, Trial::begin(0, 0));
        for streak in trial.witness.streaks() {
            self.recorder.write(&Record::Clients(streak))?;
        }
        conducted?;
        let end = Usec::now();
        trial.end = Some(end);
        self.recorder.write(&Record::End { at_usec: end })?;
        Ok(trial)
    }

    /// Steady state, injection, recovery. A trial that is disturbed before the injection ends early, and its verdict
    /// says so.
    fn conduct(&mut self, restart: bool) -> Result<(), RunError> {
        if restart && !self.start("restart")? {
            return Ok(());
        }
        if !self.served()? {
            return Ok(());
        }
        self.recorder.write(&Record::Steady { at_usec: self.trial.begin })?;
        let Some(fault) = &self.setting.scenario.fault else {
            self.setting.progress.stage("watching a healthy service");
            return self.settle();
        };
        if self.disturbed_before_injection()? {
            return Ok(());
        }
        self.setting.progress.stage(&format!("injecting {fault}"));
        let at = fault::inject(self.setting.machine, fault)?;
        self.trial.injected = Some((at, fault.clone()));
        self.recorder.write(&Record::Injected { at_usec: at, fault: fault.clone() })?;
        self.setting.progress.stage(&format!("{fault} injected; waiting for the recovery"));
        self.settle()
    }

    /// Starts the service; whether systemd saw READY. A start that failed is not waited for any longer.
    fn start(&mut self, verb: &str) -> Result<bool, RunError> {
        let unit = &self.settings.unit;
        self.setting.progress.stage(&format!("{verb}ing {unit}"));
        self.setting.machine.run(&["systemctl", verb, "--no-block", unit], COMMAND)?;
        let deadline = Usec::now() + patience::start(&self.settings);
        let ended = |kind: &Kind| matches!(kind, Kind::Ready | Kind::StartFailed | Kind::StartLimitHit);
        self.wait_until(deadline, |bench| bench.saw(ended))?;
        Ok(self.saw(|kind| *kind == Kind::Ready))
    }

    /// Waits for clients to be served, and begins the trial with the answer that showed it. Whether the service stayed
    /// up until then.
    fn served(&mut self) -> Result<bool, RunError> {
        self.trial.witness = Witness::default();
        let deadline = Usec::now() + FIRST_ANSWER;
        let ready =
            self.timeline().last_of(|kind| *kind == Kind::Ready).map_or(self.trial.begin, |event| event.at);
        let down = |kind: &Kind| kind.is_disturbance() && !matches!(kind, Kind::Starting);
        let is_down = move |bench: &Self| {
            bench.timeline().events.iter().any(|event| event.at > ready && down(&event.kind))
        };
        self.wait_until(deadline, |bench| bench.trial.witness.was_served() || is_down(bench))?;
        if is_down(self) {
            return Ok(false);
        }
        if let Some(begin) = self.trial.witness.begin_at_last_good() {
            self.trial.begin = begin;
            return Ok(true);
        }
        let seen =
            self.trial.witness.first_bad(Usec(0)).map_or("nobody asked", |(_, reason)| reason).to_owned();
        let lines = self.trial.entries.iter().map(Entry::line).collect::<Vec<_>>();
        let log = lines[lines.len().saturating_sub(LAST_LINES)..].to_vec();
        Err(RunError::NotServed { url: self.setting.scenario.observe.to_string(), seen, log })
    }

    fn timeline(&self) -> Timeline {
        self.trial.timeline(&self.settings.unit)
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
            let (timeline, witness) = (self.timeline(), &self.trial.witness);
            let (expect, known_until) = (&self.setting.scenario.expect, self.observer.known_until());
            match patience::after_injection(&timeline, witness, expect, &self.settings, known_until) {
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
        match self.setting.inputs.receive(deadline) {
            None => return Ok(false),
            Some(Input::Interrupted) => return Err(RunError::Interrupted),
            Some(Input::JournalEnded(reason)) => return Err(RunError::Journal(reason)),
            // What was under way when the trial began belongs to no trial.
            Some(Input::Ask(ask)) if ask.asked < self.trial.begin => {}
            Some(Input::Entry(entry)) if entry.at().is_none_or(|at| at < self.trial.begin) => {}
            Some(Input::Ask(ask)) => self.trial.witness.add(ask),
            Some(Input::Entry(entry)) => {
                if let Some(event) = event::read(&entry, &self.settings.unit) {
                    self.setting.progress.event(&event.kind.to_string());
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
