//! Where a case is made: start, steady state, injection, recovery. The one producer of its moments.

use std::time::Duration;

use rand::rngs::ChaCha12Rng;
use rand::{RngExt as _, SeedableRng};

use super::inputs::Input;
use super::observer::Observer;
use super::{COMMAND, RunError, Setting};
use crate::fault::{CLIENT, Fault};
use crate::journal;
use crate::machine::MachineError;
use crate::model::asks::Asks;
use crate::model::case::{CaseId, Plan};
use crate::model::clock::Usec;
use crate::model::event::Kind;
use crate::model::expect::Outcome;
use crate::model::moment::{Because, Injected, Journal, Moment, What};
use crate::model::patience::{self, Patience};
use crate::model::settings::Settings;
use crate::model::story::Story;
use crate::model::text::one_line;
use crate::record::{Sink, WriteError};

/// How long after a good answer the first healthy probe of the guard beside the service may take, and how often it is looked
/// for.
const FIRST_HEALTHY: Duration = Duration::from_secs(5);
const NEXT_LOOK: Duration = Duration::from_millis(50);

/// Makes a case, and tells it to its story and to a sink.
pub struct Conductor<'a> {
    setting: &'a Setting<'a>,
    observer: &'a Observer,
    sink: &'a mut dyn Sink,
    story: Story,
    began: Usec,
}

/// What taking an input in has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    /// There was none by the deadline.
    Nothing,
    /// A line that tells nothing.
    Line,
    /// Something that may change what is waited for.
    News,
}

impl<'a> Conductor<'a> {
    /// Begins a case.
    pub fn begin(
        setting: &'a Setting<'a>,
        observer: &'a Observer,
        sink: &'a mut dyn Sink,
        (case, plan): (CaseId, Plan),
        settings: Settings,
    ) -> Result<Self, RunError> {
        let mut conductor =
            Self { setting, observer, sink, story: Story::new(case, plan.clone()), began: Usec::now() };
        for what in [
            What::Planned(Box::new(plan)),
            What::Booted(setting.machine.description().clone()),
            What::Settings(settings),
            What::Began,
        ] {
            conductor.tell(conductor.began, what)?;
        }
        Ok(conductor)
    }

    /// Ends the trial and hands its story over; one that could not be conducted to its end stays open in the recording, with why.
    pub fn end(mut self, conducted: Result<(), RunError>) -> Result<Story, RunError> {
        self.sink.flush()?;
        if let Err(error) = conducted {
            // That the user wants to stop is no fault of the instrument's.
            if !matches!(error, RunError::Interrupted | RunError::Recording(_)) {
                self.tell(Usec::now(), What::Broke(Because { reason: error.to_string() }))?;
            }
            return Err(error);
        }
        if !self.story.verdict_at(Usec::now()).is_pass() {
            self.ask_for_last_lines()?;
        }
        self.tell(Usec::now(), What::Ended)?;
        Ok(self.story)
    }

    fn tell(&mut self, at: Usec, what: What) -> Result<Taken, WriteError> {
        let moment = Moment { at, case: self.story.case, what };
        // First of all it is written down.
        self.sink.take(&moment)?;
        let event = self.story.take(&moment);
        if let (Some(event), What::Journal(_)) = (event, &moment.what) {
            self.setting.progress.event(&event.kind.to_string());
        }
        let is_line = event.is_none() && matches!(moment.what, What::Journal(_));
        Ok(if is_line { Taken::Line } else { Taken::News })
    }

    /// What the service itself said last is told where somebody has to find out why.
    fn ask_for_last_lines(&mut self) -> Result<(), WriteError> {
        let argv = journal::last_lines(&self.story.plan.unit);
        let words = argv.iter().map(String::as_str).collect::<Vec<_>>();
        // Of a machine that does not tell them the rest is true all the same.
        let Ok(output) = self.setting.machine.run(&words, COMMAND) else { return Ok(()) };
        let mut entries = Vec::new();
        let _ = journal::read(output.stdout.as_bytes(), |entry| {
            entries.push(entry);
            true
        });
        for entry in entries {
            let Some(at) = entry.at().filter(|at| *at >= self.began) else { continue };
            // These have come already.
            if !entry.has("_COMM", "sd-watchdog") {
                self.tell(at, What::Journal(Journal { entry: entry.trimmed() }))?;
            }
        }
        Ok(())
    }

    /// systemd tells more of a unit that runs.
    pub fn told(&mut self, settings: Settings) -> Result<(), RunError> {
        self.tell(Usec::now(), What::Settings(settings))?;
        Ok(())
    }

    /// Steady state, injection, recovery. A trial that is disturbed before the injection ends early, and its verdict
    /// says so.
    pub fn conduct(&mut self, restart: bool, has_served: bool) -> Result<(), RunError> {
        if restart && !self.start("restart")? {
            return Ok(());
        }
        if !self.served(has_served)? {
            return Ok(());
        }
        let Some(fault) = self.setting.scenario.fault else {
            self.setting.progress.stage("watching a healthy service");
            return self.settle();
        };
        self.guarded()?;
        if self.disturbed_before_injection()? {
            return Ok(());
        }
        self.setting.progress.stage(&format!("injecting {fault}"));
        let injection = fault.inject(self.setting.machine, &self.story.plan.unit);
        let injection = injection.map_err(|error| match (fault, error) {
            (Fault::InProcess(_), MachineError::Command { reason, .. }) => not_buggy(Some(fault), reason),
            (_, error) => error.into(),
        })?;
        let until = Some(injection.until).filter(|until| *until > injection.at);
        self.tell(injection.at, What::Injected(Injected { fault: injection.fault, until }))?;
        self.setting.progress.stage(&format!("{fault} injected; waiting for the recovery"));
        self.settle()
    }

    /// Starts the service; whether systemd saw READY. A start that failed is not waited for any longer.
    pub fn start(&mut self, verb: &str) -> Result<bool, RunError> {
        let unit = self.story.plan.unit.clone();
        self.setting.progress.stage(&format!("{verb}ing {unit}"));
        let before = self.story.events().len();
        let output = self.setting.machine.run(&["systemctl", verb, "--no-block", &unit], COMMAND)?;
        if !output.status.success() {
            return Err(RunError::NotStarted { unit, said: output.stderr.trim().to_owned() });
        }
        let deadline = Usec::now() + self.story.settings.as_ref().map_or(COMMAND, patience::start);
        let ended = |kind: &Kind| matches!(kind, Kind::Ready | Kind::StartFailed | Kind::StartLimitHit);
        let saw = |story: &Story, wanted: fn(&Kind) -> bool| {
            story.events().iter().skip(before).any(|event| wanted(&event.kind))
        };
        self.wait_until(deadline, |conductor| saw(&conductor.story, ended))?;
        // systemd calls a unit that it skips "started".
        if let Some(conditions) = unmet(self.setting, &unit)? {
            return Err(RunError::Unmet { unit, conditions });
        }
        Ok(saw(&self.story, |kind| *kind == Kind::Ready))
    }

    /// Waits for clients to be served, and begins the trial with the answer that showed it. Whether the service stayed
    /// up until then, and served, if it `has_served` in an earlier trial.
    fn served(&mut self, has_served: bool) -> Result<bool, RunError> {
        let now = Usec::now();
        self.tell(now, What::Watched)?;
        let Setting { scenario, .. } = self.setting;
        let settings = self.story.settings.as_ref();
        let limit = patience::first_answer(&scenario.expect, settings, scenario.observe.timeout);
        let deadline = now + limit;
        let last_ready = self.story.events().iter().rev().find(|event| event.kind == Kind::Ready);
        let ready = last_ready.map_or(self.began, |event| event.at);
        let down = |kind: &Kind| kind.is_disturbance() && !matches!(kind, Kind::Starting);
        let is_down =
            move |story: &Story| story.events().iter().any(|event| event.at > ready && down(&event.kind));
        self.wait_until(deadline, |conductor| {
            conductor.story.witness().was_served() || is_down(&conductor.story)
        })?;
        if is_down(&self.story) {
            return Ok(false);
        }
        if let Some(served) = self.story.witness().last_served() {
            self.tell(served, What::Steady)?;
            return Ok(true);
        }
        if has_served {
            // Then [observe] is right, and the service is not.
            return Ok(false);
        }
        self.ask_for_last_lines()?;
        let seen = self.story.witness().first_bad(Usec(0)).map_or("nobody asked", |(_, reason)| reason);
        Err(RunError::NotServed {
            url: self.setting.scenario.observe.to_string(),
            limit,
            seen: seen.to_owned(),
            log: self.story.last_lines(),
        })
    }

    /// Waits until the guard beside the service, where there is one, has seen the main process that runs now healthy.
    fn guarded(&mut self) -> Result<(), RunError> {
        let Some(guard) = &self.setting.scenario.service.guard else { return Ok(()) };
        self.setting.progress.stage(&format!("waiting for {guard}"));
        let deadline = Usec::now() + FIRST_HEALTHY;
        loop {
            let pid = shown(self.setting, &self.story.plan.unit, "MainPID")?;
            let status = shown(self.setting, guard, "StatusText")?;
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

    /// Lets a random part of the probe interval pass, so that trials sample every phase between probe and injection.
    /// Whether something happened to the service meanwhile.
    fn disturbed_before_injection(&mut self) -> Result<bool, RunError> {
        let settings = self.story.settings.as_ref();
        let interval = settings.and_then(|settings| Some(settings.guard.as_ref()?.interval()));
        let interval = interval.or_else(|| Some(settings?.span("WatchdogSec")? / 2)).unwrap_or(COMMAND / 20);
        let part = ChaCha12Rng::seed_from_u64(self.story.plan.seed).random_range(0.0..1.0);
        let begin = Usec::now();
        let disturbed = move |conductor: &Self| {
            let events = conductor.story.events();
            events.iter().any(|event| event.at >= begin && event.kind.is_disturbance())
        };
        self.wait_until(begin + interval.mul_f64(part), disturbed)
    }

    /// Waits until nothing more can happen that matters.
    fn settle(&mut self) -> Result<(), RunError> {
        loop {
            let Patience::Until(deadline) = self.story.waits(Usec::now(), self.observer.known_until()) else {
                return Ok(());
            };
            loop {
                match self.take_one(deadline)? {
                    Taken::Nothing => return Ok(()),
                    Taken::News => break,
                    Taken::Line => {}
                }
            }
        }
    }

    /// Takes inputs until `done` or the deadline; whether it was `done`.
    fn wait_until(&mut self, deadline: Usec, done: impl Fn(&Self) -> bool) -> Result<bool, RunError> {
        let mut taken = Taken::News;
        loop {
            if taken == Taken::News && done(self) {
                return Ok(true);
            }
            taken = self.take_one(deadline)?;
            if taken == Taken::Nothing {
                return Ok(false);
            }
        }
    }

    fn take_one(&mut self, deadline: Usec) -> Result<Taken, RunError> {
        let told = match self.setting.inputs.receive(deadline) {
            None => return Ok(Taken::Nothing),
            Some(Input::Interrupted) => return Err(RunError::Interrupted),
            Some(Input::JournalEnded(reason)) => return Err(RunError::Journal(reason)),
            // What was under way when the trial began belongs to no trial.
            Some(Input::Ask(ask)) if ask.asked < self.began => return Ok(Taken::Line),
            Some(Input::Ask(ask)) => self.tell(ask.known, What::Asks(Asks(vec![ask]))),
            Some(Input::Entry(entry, _)) => match entry.at().filter(|at| *at >= self.began) {
                None => return Ok(Taken::Line),
                Some(at) => self.tell(at, What::Journal(Journal { entry })),
            },
        };
        Ok(told?)
    }
}

/// Whether the service has to be started anew before the next trial: a fault that systemd was not to mend is still there, or what
/// came of it.
pub fn is_to_be_restarted(setting: &Setting, last: &Story) -> Result<bool, RunError> {
    let is_mended = last.verdict().is_pass()
        && (setting.scenario.fault.is_none() || last.plan.expect.outcome == Outcome::Restarted);
    Ok(!is_mended || shown(setting, &last.plan.unit, "ActiveState")? != "active")
}

/// Has systemd forget the starts of a unit, and that it failed.
pub fn reset(setting: &Setting, unit: &str) -> Result<(), RunError> {
    let argv = ["systemctl", "reset-failed", unit];
    let output = setting.machine.run(&argv, COMMAND)?;
    // Of a unit that ended well systemd has forgotten everything already.
    if !output.status.success() && shown(setting, unit, "ActiveState")? != "inactive" {
        output.successful(&argv)?;
    }
    Ok(())
}

/// The fault is not for this service.
pub fn not_buggy(fault: Option<Fault>, said: String) -> RunError {
    RunError::NotBuggy { fault: fault.map(Fault::name).unwrap_or_default().into(), client: CLIENT, said }
}

/// The conditions for which systemd skipped the unit, as the unit has them; `None` if it did not.
fn unmet(setting: &Setting, unit: &str) -> Result<Option<String>, RunError> {
    if shown(setting, unit, "ConditionResult")? != "no" && shown(setting, unit, "AssertResult")? != "no" {
        return Ok(None);
    }
    let argv = ["systemctl", "cat", unit];
    let text = setting.machine.run(&argv, COMMAND)?.stdout;
    let conditions = text.lines().filter(|line| line.starts_with("Condition") || line.starts_with("Assert"));
    Ok(Some(conditions.map(|line| one_line(line.into())).collect::<Vec<_>>().join(" or ")))
}

fn shown(setting: &Setting, unit: &str, property: &str) -> Result<String, RunError> {
    let argv = ["systemctl", "show", "--value", "--property", property, unit];
    Ok(setting.machine.run(&argv, COMMAND)?.stdout.trim().to_owned())
}
