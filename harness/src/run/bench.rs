//! Where trials are made: start, steady state, injection, recovery.

use std::time::Duration;

use rand::rngs::ChaCha12Rng;
use rand::{RngExt as _, SeedableRng};

use super::inputs::Input;
use super::{COMMAND, RunError, Setting};
use crate::model::ask::Witness;
use crate::model::clock::Usec;
use crate::model::entry::Entry;
use crate::model::event::{self, Kind};
use crate::model::patience::{self, Patience};
use crate::model::result::LAST_LINES;
use crate::model::settings::Settings;
use crate::model::timeline::Timeline;
use crate::record::{Header, Record, Recorder, Trial};
use crate::run::observer::Observer;

/// How long after READY the first good answer may take before there is nothing to observe; longer where one ask may.
const FIRST_ANSWER: Duration = Duration::from_secs(5);

/// How long after that the first healthy probe of the guard beside the service may take, and how often it is looked for.
const FIRST_HEALTHY: Duration = Duration::from_secs(5);
const NEXT_LOOK: Duration = Duration::from_millis(50);

/// Where trials are made, and the one in progress.
pub struct Bench<'a> {
    setting: &'a Setting<'a>,
    /// The unit's settings, as far as systemd has told them.
    pub settings: Settings,
    observer: Observer,
    recorder: &'a mut Recorder,
    trial: Trial,
    is_recording: bool,
}

impl<'a> Bench<'a> {
    /// A bench with its first trial begun, of which nothing is recorded yet.
    pub fn new(
        setting: &'a Setting<'a>,
        settings: Settings,
        observer: Observer,
        recorder: &'a mut Recorder,
        trial: Trial,
    ) -> Self {
        Self { setting, settings, observer, recorder, trial, is_recording: false }
    }

    /// Writes the header, and what was heard while the settings were not known yet.
    pub fn begin_recording(&mut self, header: &Header) -> Result<(), RunError> {
        self.is_recording = true;
        self.recorder.write(&Record::Run(Box::new(header.clone())))?;
        let Trial { number, seed, begin: at_usec, .. } = self.trial;
        self.recorder.write(&Record::Trial { number, seed, at_usec })?;
        let mut entries = self.trial.entries.iter().cloned();
        Ok(entries.try_for_each(|entry| self.recorder.write(&Record::Journal { entry }))?)
    }

    /// Begins the next trial.
    pub fn next(&mut self, number: u32, seed: u64) -> Result<(), RunError> {
        // The trials' own restarts must not add up to the unit's start limit.
        self.setting.machine.run(&["systemctl", "reset-failed", &self.settings.unit], COMMAND)?;
        self.trial = Trial::begin(number, seed);
        Ok(self.recorder.write(&Record::Trial { number, seed, at_usec: self.trial.begin })?)
    }

    /// Ends the trial and hands it over; one that could not be conducted to its end stays open in the recording.
    pub fn end(&mut self, conducted: Result<(), RunError>) -> Result<Trial, RunError> {
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
    pub fn conduct(&mut self, restart: bool) -> Result<(), RunError> {
        if restart && !self.start("restart")? {
            return Ok(());
        }
        if !self.served()? {
            return Ok(());
        }
        self.recorder.write(&Record::Steady { at_usec: self.trial.begin })?;
        let Some(fault) = self.setting.scenario.fault else {
            self.setting.progress.stage("watching a healthy service");
            return self.settle();
        };
        self.guarded()?;
        if self.disturbed_before_injection()? {
            return Ok(());
        }
        self.setting.progress.stage(&format!("injecting {fault}"));
        let injection = fault.inject(self.setting.machine, &self.settings.unit)?;
        self.recorder.write(&Record::Injected {
            at_usec: injection.at,
            until_usec: Some(injection.until).filter(|until| *until > injection.at),
            fault: injection.fault.clone(),
        })?;
        self.trial.injected = Some(injection);
        self.setting.progress.stage(&format!("{fault} injected; waiting for the recovery"));
        self.settle()
    }

    /// Starts the service; whether systemd saw READY. A start that failed is not waited for any longer.
    pub fn start(&mut self, verb: &str) -> Result<bool, RunError> {
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
        let deadline = Usec::now() + FIRST_ANSWER.max(self.setting.scenario.observe.timeout);
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

    /// Waits until the guard beside the service, where there is one, has seen the main process that runs now healthy.
    fn guarded(&mut self) -> Result<(), RunError> {
        let Some(guard) = &self.setting.scenario.service.guard else { return Ok(()) };
        self.setting.progress.stage(&format!("waiting for {guard}"));
        let deadline = Usec::now() + FIRST_HEALTHY;
        loop {
            let pid = self.shown(&self.settings.unit, "MainPID")?;
            let status = self.shown(guard, "StatusText")?;
            if status.contains(&format!("(active, pid {pid}): healthy")) {
                return Ok(());
            }
            if Usec::now() >= deadline {
                return Err(RunError::NotGuarded { guard: guard.clone(), status });
            }
            // What comes meanwhile is taken in; nothing tells when a status changes.
            self.wait_until(Usec::now() + NEXT_LOOK, |_| false)?;
        }
    }

    fn shown(&self, unit: &str, property: &str) -> Result<String, RunError> {
        let argv = ["systemctl", "show", "--value", "--property", property, unit];
        Ok(self.setting.machine.run(&argv, COMMAND)?.stdout.trim().to_owned())
    }

    fn timeline(&self) -> Timeline {
        self.trial.timeline(&self.settings.unit)
    }

    /// Lets a random part of the probe interval pass, so that trials sample every phase between probe and injection.
    /// Whether something happened to the service meanwhile.
    fn disturbed_before_injection(&mut self) -> Result<bool, RunError> {
        let interval = self.settings.guard.as_ref().map(crate::model::settings::Guard::interval);
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
