//! Where a case is made: start, steady state, injection, recovery. The one producer of its moments.

use std::time::Duration;

use super::inputs::Input;
use super::instrument::{self, Lateness, Stalls};
use super::load::{Load, Loading};
use super::observer::Observer;
use super::{COMMAND, RunError, Setting};
use crate::fault::Active;
use crate::journal;
use crate::model::asks::Asks;
use crate::model::clock::Usec;
use crate::model::event::Kind;
use crate::model::expect::Outcome;
use crate::model::moment::{Because, Journal, Moment, What};
use crate::model::patience::Patience;
use crate::model::settings::Settings;
use crate::model::story::Story;
use crate::plan::Case;
use crate::record::{Sink, WriteError};

mod catch_up;
mod injections;
mod steady;

/// How long after a good answer the first healthy probe of the guard beside the service may take, and how often it is looked
/// for.
const FIRST_HEALTHY: Duration = Duration::from_secs(5);
const NEXT_LOOK: Duration = Duration::from_millis(50);

/// From one nudge of journald's followers to the next.
const NUDGES: Duration = Duration::from_millis(40);

/// How long a load asks before something is done to the service.
const LOADED: Duration = Duration::from_secs(1);

/// From one look at how the instrument does to the next.
const GAUGED: Duration = Duration::from_secs(1);

/// From one question to PID 1 to the next, where its words are kept out of the journal.
const ASKED: Duration = Duration::from_millis(100);

/// Makes a case, and tells it to its story and to a sink.
pub struct Conductor<'a> {
    setting: &'a Setting<'a>,
    observer: &'a Observer<'a>,
    loading: Option<&'a Loading>,
    load: Option<Load>,
    sink: &'a mut dyn Sink,
    story: Story,
    /// The faults that are in effect, each with when it is to be healed, if not at the trial's end.
    active: Vec<(Option<Usec>, Active<'a>)>,
    began: Usec,
    nudged: Usec,
    gauged: Usec,
    /// When PID 1 was asked last.
    asked: Usec,
    /// How late since then inputs were, and entries.
    late: Lateness,
    stalls: Stalls,
}

/// What taking an input in has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Taken {
    /// There was none by the deadline.
    Nothing,
    /// A line that tells nothing.
    Line,
    /// Something that may change what is waited for.
    News,
    /// All that the journal held when this was written has been taken in.
    Mark(String),
}

impl<'a> Conductor<'a> {
    /// Begins a case.
    pub fn begin(
        setting: &'a Setting<'a>,
        observer: &'a Observer<'a>,
        loading: Option<&'a Loading>,
        sink: &'a mut dyn Sink,
        Case { id: case, plan }: Case,
        settings: Settings,
    ) -> Result<Self, RunError> {
        // That it was late before is no matter of this case.
        observer.lateness();
        let (story, began) = (Story::new(case, plan.clone()), Usec::now());
        let stalls = Stalls::since_now(setting.machine, &plan.unit);
        let mut conductor = Self {
            setting,
            observer,
            loading,
            load: None,
            sink,
            story,
            active: Vec::new(),
            began,
            nudged: began,
            gauged: began,
            asked: began,
            late: Lateness::default(),
            stalls,
        };
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
            // Why that cannot be done either is no more than what follows from it.
            let _ = self.heal_what_is_left();
            let error = self.setting.named(error);
            // That the user wants to stop is no fault of the instrument's.
            if !matches!(error, RunError::Interrupted | RunError::Recording(_)) {
                self.tell(Usec::now(), What::Broke(Because { reason: error.to_string() }))?;
            }
            return Err(error);
        }
        self.ask_pid_one()?;
        // It knows at once what the journal may not have handed over yet: all of that is older than this mark.
        if !self.story.contradictions().is_empty() {
            self.catch_up()?;
        }
        self.look_for_stalls(true)?;
        if !self.story.verdict_at(Usec::now()).is_pass() {
            self.ask_for_last_lines()?;
        }
        self.gauge()?;
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

    fn ask_pid_one(&mut self) -> Result<(), WriteError> {
        self.asked = Usec::now();
        match instrument::pid_one(self.setting.machine, &self.story.plan.unit, COMMAND) {
            Some(pid_one) => self.tell(self.asked, What::PidOne(Box::new(pid_one))).map(drop),
            None => Ok(()),
        }
    }

    fn gauge(&mut self) -> Result<(), WriteError> {
        self.gauged = Usec::now();
        let gauge = self.late.gauge(self.observer);
        self.tell(self.gauged, What::Gauge(gauge))?;
        match self.load.as_ref().map(Load::batch) {
            Some(batch) => self.tell(self.gauged, What::Load(batch)).map(drop),
            None => Ok(()),
        }
    }

    fn look_for_stalls(&mut self, is_last: bool) -> Result<(), WriteError> {
        let is_ours = self.active.iter().any(|(_, active)| active.takes_cpus);
        match self.stalls.look(is_last, is_ours) {
            Some((at, stalled)) => self.tell(at, What::Stalled(stalled)).map(drop),
            None => Ok(()),
        }
    }

    /// Starts the load, where there is one, and has it ask for a while.
    fn load(&mut self) -> Result<(), RunError> {
        let Some(loading) = self.loading else { return Ok(()) };
        self.load = Some(loading.start()?);
        self.setting.progress.stage("many clients ask");
        self.wait_until(Usec::now() + LOADED, |_| false)?;
        Ok(())
    }

    /// Ends the load, and waits for what is under way to come to something.
    fn unload(&mut self) -> Result<(), RunError> {
        let (Some(loading), Some(load)) = (self.loading, &self.load) else { return Ok(()) };
        load.end();
        let deadline = Usec::now() + loading.timeout() + NEXT_LOOK * 4;
        while self.load.as_ref().is_some_and(|load| load.open() > 0) && Usec::now() < deadline {
            // Nothing tells when that is.
            self.wait_until(Usec::now() + NEXT_LOOK, |_| false)?;
        }
        Ok(())
    }

    /// What the service itself said last is told where somebody has to find out why.
    fn ask_for_last_lines(&mut self) -> Result<(), WriteError> {
        let namespace = self.story.settings.as_ref().and_then(|settings| settings.log_namespace.as_deref());
        let argv = journal::last_lines(&self.story.plan.unit, namespace);
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
            if !journal::is_followed(&entry, &self.story.plan.unit) {
                self.tell(at, What::Journal(Journal { entry: entry.trimmed() }))?;
            }
        }
        Ok(())
    }

    /// What is told of how the service was installed.
    pub fn installed(&mut self, installed: Vec<What>) -> Result<(), RunError> {
        for what in installed {
            self.tell(self.began, what)?;
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
        let Some((first, others)) = self.setting.scenario.faults.split_first() else {
            self.load()?;
            self.setting.progress.stage("watching a healthy service");
            self.settle()?;
            return self.unload();
        };
        self.guarded()?;
        self.load()?;
        if self.disturbed_before_injection()? {
            return Ok(());
        }
        self.inject(first)?;
        for next in others {
            if !self.is_let_come(&next.fault)? {
                break;
            }
            self.inject(next)?;
        }
        self.settle()?;
        self.unload()?;
        self.heal_what_is_left()
    }

    /// Waits until nothing more can happen that matters.
    fn settle(&mut self) -> Result<(), RunError> {
        loop {
            self.wait_out()?;
            if !(self.story.rests_on_silence(Usec::now()) && self.catch_up()?) {
                return Ok(());
            }
        }
    }

    /// The same as far as the journal has come.
    fn wait_out(&mut self) -> Result<(), RunError> {
        loop {
            let Patience::Until(deadline) = self.story.waits(Usec::now(), self.observer.known_until()) else {
                return Ok(());
            };
            let nudge = self.next_nudge().filter(|nudge| *nudge < deadline);
            loop {
                match self.take_one(nudge.unwrap_or(deadline))? {
                    Taken::Nothing if nudge.is_some() => {
                        self.nudged = Usec::now();
                        journal::nudge(self.setting.machine)?;
                        break;
                    }
                    Taken::Nothing => return Ok(()),
                    Taken::News => break,
                    Taken::Line | Taken::Mark(_) => {}
                }
            }
        }
    }

    /// When journald's followers are to look next, where clients are served again and systemd's word of the start is still to come:
    /// it is in the journal by then, or about to be, and is told late.
    fn next_nudge(&self) -> Option<Usec> {
        let events = self.story.events();
        let injected = events.iter().rfind(|event| matches!(event.kind, Kind::Injected { .. }))?.at;
        if events.iter().any(|event| event.at > injected && event.kind == Kind::Ready) {
            return None;
        }
        let witness = self.story.witness();
        let (bad, _) = witness.first_bad(injected)?;
        let served = witness.first_good(bad)?;
        let next = if self.nudged < served { served } else { self.nudged + NUDGES };
        // After that it has come by itself, or there is none.
        (next < served + journal::LATE).then_some(next)
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
        self.look_for_stalls(false)?;
        if Usec::now() >= self.gauged + GAUGED {
            self.gauge()?;
        }
        let is_silent = self.story.settings.as_ref().is_some_and(Settings::is_silent);
        if is_silent && Usec::now() >= self.asked + ASKED {
            self.ask_pid_one()?;
        }
        if self.heal_what_is_due()? {
            return Ok(Taken::News);
        }
        let heal = self.active.iter().filter_map(|(due, _)| *due).min();
        let Some((sent, input)) =
            self.setting.inputs.receive(heal.map_or(deadline, |heal| heal.min(deadline)))
        else {
            return Ok(if self.heal_what_is_due()? { Taken::News } else { Taken::Nothing });
        };
        self.late.took(sent);
        let told = match input {
            Input::Interrupted => return Err(RunError::Interrupted),
            Input::Mark(mark) => return Ok(Taken::Mark(mark)),
            Input::JournalEnded(reason) => return Err(RunError::Journal(reason)),
            // Nobody visits a trial.
            Input::Visited => return Ok(Taken::Line),
            // What was under way when the trial began belongs to no trial.
            Input::Ask(ask) if ask.asked < self.began => return Ok(Taken::Line),
            Input::Ask(ask) => self.tell(ask.known, What::Asks(Asks(vec![ask]))),
            Input::Entry(entry, _) => match entry.at().filter(|at| *at >= self.began) {
                None => return Ok(Taken::Line),
                Some(at) => {
                    self.late.took_entry(at, sent);
                    self.tell(at, What::Journal(Journal { entry }))
                }
            },
        };
        Ok(told?)
    }
}

/// Whether the service has to be started anew before the next trial: a fault that systemd was not to mend is still there, or what
/// came of it.
pub fn is_to_be_restarted(setting: &Setting, last: &Story) -> bool {
    let is_mended = last.verdict().is_pass()
        && (setting.scenario.faults.is_empty()
            || last.last_expectation(Usec::now()).outcome == Outcome::Restarted);
    !is_mended || last.pid_one().is_none_or(|pid_one| pid_one.active_state != "active")
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

fn shown(setting: &Setting, unit: &str, property: &str) -> Result<String, RunError> {
    let argv = ["systemctl", "show", "--value", "--property", property, unit];
    Ok(setting.machine.run(&argv, COMMAND)?.stdout.trim().to_owned())
}
