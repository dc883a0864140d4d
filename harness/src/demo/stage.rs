//! The stage: a machine in which a service is watched for as long as anybody likes, and done to what visitors want.
//!
//! One thread owns all of it. What happens is told as moments, in cases as those of a run: while nothing is done there is an idle
//! one, each fault has its own. Nothing here waits: it takes in what has come, and looks whether something is due.

use std::collections::HashMap;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use super::audience::Audience;
use super::call::{Call, Said};
use super::duty::Duty;
use super::nudge::Nudge;
use super::repertoire::Repertoire;
use super::schedule::Schedule;
use crate::fault::{Active, Fault};
use crate::machine::Machine;
use crate::model::asks::Asks;
use crate::model::clock::Usec;
use crate::model::event::Kind;
use crate::model::expect::Outcome;
use crate::model::moment::{Because, Journal, Moment, Unit, What};
use crate::model::patience::Patience;
use crate::model::settings::{Guard, Settings};
use crate::model::story::Story;
use crate::model::third_witness::PidOne;
use crate::page::server::stage::Refused;
use crate::page::telling;
use crate::run::RunError;
use crate::run::inputs::{Input, Inputs};
use crate::run::instrument::{self, DEAF, HEARD, Lateness, Stalls};
use crate::run::observer::Observer;
use crate::scenario::Scenario;

pub mod cases;
mod visits;

/// From one look at how the instrument does to the next, and from one question to PID 1 to the next.
const GAUGED: Duration = Duration::from_secs(1);
const ASKED: Duration = Duration::from_secs(1);
/// The same where the journal has just told something.
const ASKED_OF_NEWS: Duration = Duration::from_millis(100);
/// How long its answer is waited for, meanwhile nothing else is done; and when it is asked again that gave none.
const ANSWERED: Duration = Duration::from_secs(1);
const ASKED_AGAIN: Duration = Duration::from_secs(10);
/// How long an idle case is, so that none grows; and one of a fault that nobody ends.
const IDLE: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(600);
/// A service that gave no good answer for so long does not serve.
const SERVED: Duration = Duration::from_millis(500);
/// How long a service that serves may keep a fault waiting.
const POISED: Duration = Duration::from_secs(5);
/// What is overdue and cannot be done yet is looked at again after this.
const AGAIN: Duration = Duration::from_millis(20);

/// What a stage is set up with.
pub struct Props<'a> {
    /// Where it is played.
    pub machine: &'a dyn Machine,
    /// What runs, and where it is asked.
    pub scenario: &'a Scenario,
    /// Where the server listens.
    pub listen: &'a str,
    /// Where everything arrives that happens.
    pub inputs: &'a Inputs,
    /// What visitors want.
    pub calls: &'a Receiver<Call>,
    /// What hangs by itself, and what makes this stage's cases its own.
    pub seed: u64,
    /// Whether anything hangs by itself.
    pub random: bool,
}

/// What is going on.
enum Act {
    /// The service is being started, until then at the latest.
    Starting(Usec),
    /// Nothing is done to it.
    Idle,
    /// This is injected as soon as the case has seen a good answer, which it does until then.
    Poised(Fault, Usec, Option<Said>),
    /// This was injected.
    Played(Fault),
    /// What the journal holds until this mark is still to come; it does until then.
    Ending(Option<String>, Usec),
}

/// The stage.
pub struct Stage<'a, 'o> {
    props: &'a Props<'a>,
    observer: &'a Observer<'o>,
    audience: &'a mut dyn Audience,
    nudge: Nudge,
    repertoire: Repertoire,
    schedule: Schedule,
    duty: Duty,
    settings: Settings,
    /// The unit's files: every case is told with them, so that it is whole when those before it are forgotten.
    unit: Unit,
    act: Act,
    story: Story,
    /// How many cases of each name there were.
    cases: HashMap<String, u32>,
    began: Usec,
    /// Whether the case has seen a good answer.
    is_steady: bool,
    /// The faults in effect, each with when it is to be healed by itself.
    active: Vec<(Option<Usec>, Active<'a>)>,
    late: Lateness,
    stalls: Stalls,
    gauged: Usec,
    asked: Usec,
    has_news: bool,
    /// Whether PID 1 has given no answer.
    is_mute: bool,
    pid_one: Option<PidOne>,
    /// When clients were answered well last.
    served: Option<Usec>,
    last: Option<telling::Deed>,
    /// Whether controls are to be told anew.
    is_changed: bool,
}

impl<'a, 'o> Stage<'a, 'o> {
    /// Begins with the service as it is installed, which is started.
    pub fn begin(
        props: &'a Props<'a>,
        observer: &'a Observer<'o>,
        audience: &'a mut dyn Audience,
        settings: Settings,
    ) -> Result<Self, RunError> {
        let now = Usec::now();
        let idle = cases::idle(props.scenario);
        let case = cases::case(&idle, 1, props.seed);
        let stalls = Stalls::since_now(props.machine, &case.plan.unit);
        let mut stage = Self {
            props,
            observer,
            audience,
            nudge: Nudge::of(&props.machine.network())?,
            repertoire: Repertoire::of(props.machine)?,
            schedule: Schedule::new(props.seed, now),
            duty: Duty::default(),
            settings,
            unit: Unit { files: Vec::new() },
            act: Act::Idle,
            story: Story::new(case.id, case.plan),
            cases: HashMap::new(),
            began: now,
            is_steady: false,
            active: Vec::new(),
            late: Lateness::default(),
            stalls,
            gauged: now,
            asked: now,
            has_news: true,
            is_mute: false,
            pid_one: None,
            served: None,
            last: None,
            is_changed: true,
        };
        stage.start(Duty::default())?;
        Ok(stage)
    }

    /// Plays until the user wants to stop.
    pub fn play(&mut self) -> Result<(), RunError> {
        loop {
            match self.props.inputs.receive(self.due()) {
                Some((_, Input::Interrupted)) => return Ok(()),
                Some((sent, input)) => self.take(sent, input)?,
                None => {}
            }
            self.look()?;
            if std::mem::take(&mut self.is_changed) {
                self.nudge.wanted(!matches!(self.act, Act::Idle));
                self.controls();
            }
        }
    }

    fn tell(&mut self, at: Usec, what: What) {
        let moment = Moment { at, case: self.story.case, what };
        self.audience.moment(&moment);
        if self.story.take(&moment).is_some() {
            (self.has_news, self.is_changed) = (true, true);
        }
    }

    fn take(&mut self, sent: Usec, input: Input) -> Result<(), RunError> {
        self.late.took(sent);
        match input {
            Input::Ask(ask) => {
                if ask.is_good() {
                    self.served = self.served.max(Some(ask.asked));
                }
                // What was under way when the case began belongs to none.
                if ask.asked >= self.began {
                    self.tell(ask.known, What::Asks(Asks(vec![ask])));
                }
            }
            Input::Entry(entry, _) => {
                // A guard tells its settings once, when it starts.
                let guard = Guard::told(&entry, &self.settings.unit);
                self.settings.guard = guard.filter(|_| self.duty.watchdog).or(self.settings.guard.take());
                if let Some(at) = entry.at().filter(|at| *at >= self.began) {
                    self.late.took_entry(at, sent);
                    self.tell(at, What::Journal(Journal { entry }));
                }
            }
            Input::Mark(come) => {
                if matches!(&self.act, Act::Ending(Some(mark), _) if *mark == come) {
                    self.act = Act::Ending(None, Usec::now());
                }
            }
            Input::Visited => self.visit()?,
            Input::JournalEnded(reason) => return Err(RunError::Journal(reason)),
            Input::Interrupted => {}
        }
        Ok(())
    }

    /// When something is due at the latest, if nothing comes before.
    fn due(&self) -> Usec {
        let act = match &self.act {
            Act::Starting(until) | Act::Poised(_, until, _) | Act::Ending(_, until) => *until,
            Act::Idle => self.schedule.next().0,
            Act::Played(_) => match self.story.waits(Usec::now(), self.observer.known_until()) {
                Patience::Until(until) => until,
                Patience::Settled => Usec(u64::MAX),
            },
        };
        let heal = self.active.iter().filter_map(|(due, _)| *due).min();
        let due = [Some(act), heal, Some(self.gauged + GAUGED), Some(self.ask_due())];
        let due = due.into_iter().flatten().min().unwrap_or(self.gauged + GAUGED);
        due.max(Usec::now() + AGAIN)
    }

    fn ask_due(&self) -> Usec {
        self.asked
            + match (self.is_mute, self.has_news) {
                (true, _) => ASKED_AGAIN,
                (false, true) => ASKED_OF_NEWS,
                (false, false) => ASKED,
            }
    }

    /// Does what is due.
    fn look(&mut self) -> Result<(), RunError> {
        let now = Usec::now();
        let is_ours = self.active.iter().any(|(_, active)| active.takes_cpus);
        if let Some((at, stalled)) = self.stalls.look(false, is_ours) {
            self.tell(at, What::Stalled(stalled));
        }
        if now >= self.gauged + GAUGED {
            self.gauge();
        }
        if now >= self.ask_due() {
            self.ask_pid_one(false);
        }
        self.heal_what_is_due()?;
        match std::mem::replace(&mut self.act, Act::Idle) {
            Act::Starting(until) => self.look_at_start(until)?,
            Act::Idle => self.look_at_idle(),
            Act::Poised(fault, until, said) => self.look_at_poised(fault, until, said)?,
            Act::Played(fault) => self.look_at_fault(fault)?,
            Act::Ending(None, _) => self.end(),
            Act::Ending(mark, until) if now < until => self.act = Act::Ending(mark, until),
            Act::Ending(..) => {
                self.tell(now, What::Deaf(Because { reason: DEAF.into() }));
                self.end();
            }
        }
        Ok(())
    }

    fn look_at_start(&mut self, until: Usec) -> Result<(), RunError> {
        // Until it is gone the old process answers too.
        let ready = self.story.events().iter().rfind(|event| event.kind == Kind::Ready).map(|event| event.at);
        if ready.is_some_and(|ready| self.story.witness().first_good(ready).is_some()) {
            self.is_changed = true;
            self.steady();
            // systemd tells more of a unit that has started.
            let told = self.told();
            return self.by_itself("restart", told);
        }
        if Usec::now() < until {
            self.act = Act::Starting(until);
        } else {
            self.did("restart", Err(&Refused::Failed("the service was started, and does not serve".into())));
        }
        Ok(())
    }

    fn look_at_idle(&mut self) {
        let now = Usec::now();
        self.steady();
        let (due, name) = self.schedule.next();
        if self.props.random && now >= due {
            let fault = self.repertoire.fault(name, self.duty).ok();
            match fault.filter(|_| self.duty.watchdog && self.is_served()) {
                Some(fault) => self.poise(fault, None),
                None => self.schedule.over(now),
            }
        }
        let is_quiet = self.story.events().last().is_none_or(|event| now - event.at > GAUGED);
        if now - self.began > IDLE && is_quiet {
            self.end();
        }
    }

    fn look_at_poised(&mut self, fault: Fault, until: Usec, said: Option<Said>) -> Result<(), RunError> {
        if self.steady() {
            return self.inject(&fault, said);
        }
        if Usec::now() < until {
            self.act = Act::Poised(fault, until, said);
            return Ok(());
        }
        let refused = Refused::Failed(format!("{fault} was not injected: the service does not serve"));
        self.did("inject", Err(&refused));
        if let Some(said) = said {
            said.say(Err(refused));
        }
        self.end();
        Ok(())
    }

    /// What came of a fault is over when nothing more can happen that matters, and where nobody brings the service back, when somebody
    /// else has.
    fn look_at_fault(&mut self, fault: Fault) -> Result<(), RunError> {
        let (now, known_until) = (Usec::now(), self.observer.known_until());
        let is_settled = match self.story.waits(now, known_until) {
            Patience::Settled => true,
            Patience::Until(until) => now >= until,
        };
        let is_left_alone = self.story.last_expectation(now).outcome == Outcome::Undisturbed;
        self.act = Act::Played(fault);
        if is_left_alone && !self.is_served() {
            // What nobody ends goes on in another case.
            if now - self.began > LONGEST {
                self.end();
            }
            return Ok(());
        }
        if !is_settled {
            return Ok(());
        }
        if is_left_alone && self.heals() {
            // It is to serve without it, too.
            let healed = self.heal();
            return self.by_itself("heal", healed);
        }
        let mark = self.story.rests_on_silence(now).then(|| {
            instrument::mark(self.props.machine, self.settings.log_namespace.as_deref()).unwrap_or_default()
        });
        self.act = Act::Ending(mark, now + HEARD);
        Ok(())
    }

    /// Tells of the first good answer of the case; whether there was one.
    fn steady(&mut self) -> bool {
        let served = self.story.witness().last_served();
        if let Some(served) = served.filter(|_| !self.is_steady) {
            self.is_steady = true;
            self.tell(served, What::Steady);
        }
        self.is_steady
    }

    fn is_served(&self) -> bool {
        self.served.is_some_and(|served| Usec::now() - served < SERVED)
    }

    fn gauge(&mut self) {
        self.gauged = Usec::now();
        let gauge = self.late.gauge(self.observer);
        self.tell(self.gauged, What::Gauge(gauge));
    }

    /// What it says again is told only where it is asked to testify.
    fn ask_pid_one(&mut self, testify: bool) {
        (self.asked, self.has_news) = (Usec::now(), false);
        let said = instrument::pid_one(self.props.machine, &self.settings.unit, ANSWERED);
        self.is_mute = said.is_none();
        if self.is_mute {
            // Counted from when it had its time: what has come meanwhile is taken in first.
            self.asked = Usec::now();
        }
        let Some(said) = said.filter(|said| testify || self.pid_one.as_ref() != Some(said)) else { return };
        self.pid_one = Some(said.clone());
        self.tell(self.asked, What::PidOne(Box::new(said)));
    }
}
