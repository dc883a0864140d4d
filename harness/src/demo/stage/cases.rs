//! The cases of a stage: how each begins and ends, and what is done to the service in it.

use super::super::call::Said;
use super::super::duty::{self, Duty};
use super::super::repertoire::{self, expected};
use super::{Act, POISED, Props, Stage};
use crate::fault::Fault;
use crate::model::bound::Bounds;
use crate::model::case::CaseId;
use crate::model::clock::Usec;
use crate::model::expect::{Expectation, Outcome};
use crate::model::moment::{Because, Healed, What};
use crate::model::patience::{self, Patience};
use crate::model::sequence::After;
use crate::model::settings::Settings;
use crate::model::story::Story;
use crate::page::server::stage::Refused;
use crate::plan::Case;
use crate::run::install::{self, unit_files};
use crate::run::{COMMAND, RunError, instrument};
use crate::scenario::{Injection, Scenario};

/// The name of a case in which nothing is done.
pub const IDLE: &str = "";

/// Why it is not known what came of a fault.
const OVERTAKEN: &str = "somebody started the service anew before it was over";

/// In which nothing is done.
pub fn idle(scenario: &Scenario) -> Scenario {
    let expect = Expectation {
        outcome: Outcome::Undisturbed,
        undisturbed_for: Some("1s".into()),
        ..Expectation::default()
    };
    let description = "Nothing is done to the service".into();
    Scenario { name: IDLE.into(), description, faults: Vec::new(), expect, ..scenario.clone() }
}

/// In which this is done, while the service is guarded like that.
fn of_fault(scenario: &Scenario, fault: &Fault, duty: Duty, bounds: &Bounds) -> Scenario {
    let detected = bounds.detect.as_ref().map(|bound| bound.at_most);
    let heal_after = repertoire::heal_after(fault, duty, detected);
    let injection = Injection { fault: fault.clone(), after: After::Recovered, heal_after, expect: None };
    Scenario {
        name: fault.name().into(),
        description: fault.spec().does.into(),
        faults: vec![injection],
        expect: expected(fault, duty),
        ..scenario.clone()
    }
}

/// A trial of this stage's own: another's have another seed.
pub fn case(scenario: &Scenario, trial: u32, seed: u64) -> Case {
    let id = CaseId::of(&format!("{}\n{seed}", scenario.content()), trial);
    Case { id, plan: scenario.plan(trial, seed) }
}

impl Stage<'_, '_> {
    /// Begins a case.
    fn begin_case(&mut self, scenario: &Scenario) {
        let trial = self.cases.entry(scenario.name.clone()).or_default();
        *trial += 1;
        let Case { id, plan } = case(scenario, *trial, self.props.seed);
        self.story = Story::new(id, plan.clone());
        (self.began, self.is_steady) = (Usec::now(), false);
        for what in [
            What::Planned(Box::new(plan)),
            What::Booted(self.props.machine.description().clone()),
            What::Unit(self.unit.clone()),
            What::Settings(self.settings.clone()),
            What::Began,
            What::Watched,
        ] {
            self.tell(self.began, what);
        }
        // How often it was restarted before is none of this case.
        self.ask_pid_one(true);
        self.is_changed = true;
    }

    /// Ends the case at hand, and begins an idle one.
    pub(super) fn end(&mut self) {
        self.end_case();
        if !matches!(self.act, Act::Played(_)) {
            self.undo_all();
        }
        self.act = Act::Idle;
        self.begin_case(&idle(self.props.scenario));
    }

    fn end_case(&mut self) {
        self.ask_pid_one(true);
        self.gauge();
        self.tell(Usec::now(), What::Ended);
        if !self.story.plan.scenario.eq(IDLE) {
            self.schedule.over(Usec::now());
        }
    }

    /// Ends every fault. What became of one whose process is gone has nothing to undo.
    fn undo_all(&mut self) {
        for (_, active) in std::mem::take(&mut self.active) {
            if let Err(error) = instrument::heal(active) {
                self.did("heal", Err(&Refused::Failed(error.to_string())));
            }
        }
    }

    /// Of a fault that was still to come to something nobody will ever know what it would have.
    fn look_away(&mut self) {
        let now = Usec::now();
        let is_awaited = match self.story.last_expectation(now).outcome {
            // Nothing has happened, and there was time left for it.
            Outcome::Undisturbed => {
                let waits = self.story.waits(now, self.observer.known_until());
                matches!(waits, Patience::Until(until) if until > now)
            }
            _ => !self.story.verdict_at(now).is_pass(),
        };
        if matches!(self.act, Act::Played(_) | Act::Ending(..)) && is_awaited {
            self.tell(now, What::Deaf(Because { reason: OVERTAKEN.into() }));
        }
    }

    /// Starts the service anew, guarded like that. Whatever fails of it, there is a case afterwards.
    pub(super) fn start(&mut self, duty: Duty) -> Result<(), RunError> {
        let machine = self.props.machine;
        let unit = self.settings.unit.clone();
        if !self.cases.is_empty() {
            self.look_away();
            self.end_case();
        }
        self.undo_all();
        let is_guarded = self.guard(duty);
        self.act = Act::Idle;
        self.begin_case(&idle(self.props.scenario));
        is_guarded?;
        let start = ["systemctl", "restart", "--no-block", &unit];
        machine.run(&start, COMMAND)?.successful(&start)?;
        self.duty = duty;
        let stop = self.settings.span("TimeoutStopSec").unwrap_or_default();
        self.act = Act::Starting(Usec::now() + stop + patience::start(&self.settings));
        Ok(())
    }

    /// Has systemd know how the service is guarded from its next start on.
    fn guard(&mut self, duty: Duty) -> Result<(), RunError> {
        let Props { machine, listen, .. } = *self.props;
        let unit = self.settings.unit.clone();
        machine.put(&duty::path(&unit), duty.drop_in(listen).as_bytes(), 0o644)?;
        let reload = ["systemctl", "daemon-reload"];
        machine.run(&reload, COMMAND)?.successful(&reload)?;
        self.settings = install::settings(machine, &unit)?;
        self.unit = unit_files::in_force(machine, &unit)?;
        Ok(())
    }

    /// What failed, as visitors are told of it: the play goes on. Only of a machine that is gone, and where the user has had enough, it
    /// is its end.
    pub(super) fn survives(&self, error: RunError) -> Result<Refused, RunError> {
        if self.props.inputs.interrupted() || self.props.machine.obituary().is_some() {
            return Err(error);
        }
        Ok(Refused::Failed(error.to_string()))
    }

    /// The same of what no visitor has asked for, which all are told.
    pub(super) fn by_itself(&mut self, deed: &str, done: Result<(), RunError>) -> Result<(), RunError> {
        if let Err(error) = done {
            let refused = self.survives(error)?;
            self.did(deed, Err(&refused));
        }
        Ok(())
    }

    /// Of a case in which that failed nobody can say anything.
    fn break_case(&mut self, error: &RunError) {
        self.tell(Usec::now(), What::Broke(Because { reason: error.to_string() }));
        self.act = Act::Idle;
        self.schedule.over(Usec::now());
        self.begin_case(&idle(self.props.scenario));
    }

    /// systemd tells its settings once more.
    pub(super) fn told(&mut self) -> Result<(), RunError> {
        let told = install::settings(self.props.machine, &self.settings.unit)?;
        self.settings = Settings { guard: self.settings.guard.take(), ..told };
        self.tell(Usec::now(), What::Settings(self.settings.clone()));
        Ok(())
    }

    /// Begins the case of a fault, which is injected as soon as clients are seen to be served.
    pub(super) fn poise(&mut self, fault: Fault, said: Option<Said>) {
        self.end_case();
        let scenario = of_fault(self.props.scenario, &fault, self.duty, &Bounds::of(&self.settings));
        self.begin_case(&scenario);
        self.act = Act::Poised(fault, self.began + POISED, said);
    }

    /// Injects it, and says so to whoever wanted it.
    pub(super) fn inject(&mut self, fault: &Fault, said: Option<Said>) -> Result<(), RunError> {
        self.is_changed = true;
        let injected = match instrument::inject(self.props.machine, &self.settings.unit, fault) {
            Ok((active, injected)) => {
                let span = self.story.plan.heal_after_usec.map(std::time::Duration::from_micros);
                let at = active.at;
                self.active.push((span.map(|span| at + span), active));
                self.tell(at, What::Injected(injected));
                self.act = Act::Played(fault.clone());
                Ok(format!("{fault} was injected"))
            }
            Err(error) => {
                self.break_case(&error);
                Err(self.survives(error)?)
            }
        };
        if let Some(said) = said {
            self.did("inject", injected.as_ref().map(String::as_str));
            said.say(injected);
        }
        Ok(())
    }

    /// Whether something in effect can be healed.
    pub(super) fn heals(&self) -> bool {
        self.active.iter().any(|(_, active)| active.heals())
    }

    /// Ends every fault, and tells of it.
    pub(super) fn heal(&mut self) -> Result<(), RunError> {
        let mut healed = Ok(());
        for (_, active) in std::mem::take(&mut self.active) {
            let fault = active.fault.to_owned();
            match instrument::heal(active) {
                Ok(()) => self.tell(Usec::now(), What::Healed(Healed { fault, at_end: false })),
                Err(error) => healed = Err(error),
            }
        }
        if let Err(error) = &healed {
            self.break_case(error);
        }
        healed
    }

    /// The same of those that are to be healed by now.
    pub(super) fn heal_what_is_due(&mut self) -> Result<(), RunError> {
        let now = Usec::now();
        if self.active.iter().any(|(due, _)| due.is_some_and(|due| due <= now)) {
            let healed = self.heal();
            return self.by_itself("heal", healed);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario() -> Scenario {
        super::super::super::scenario().expect("it is built in")
    }

    #[test]
    fn cases_of_two_stages_have_names_of_their_own() {
        let idle = idle(&scenario());
        let ids = [(1, 1), (2, 1), (1, 2)].map(|(trial, seed)| case(&idle, trial, seed).id);
        assert!(ids[0] != ids[1] && ids[0] != ids[2] && ids[1] != ids[2], "{ids:?}");
        assert_eq!(case(&idle, 1, 1).id, ids[0]);
    }

    #[test]
    fn the_case_of_a_fault_says_what_is_to_come_of_it() {
        let fault = "mute".parse::<Fault>().expect("a fault");
        let of = of_fault(&scenario(), &fault, Duty::default(), &Bounds::default());
        let plan = case(&of, 3, 7).plan;
        assert_eq!((plan.scenario.as_str(), plan.fault.as_deref(), plan.trial), ("mute", Some("mute"), 3));
        assert_eq!(plan.expect.outcome, Outcome::Restarted);
        assert_eq!(plan.ask_interval_usec, Some(50_000));
        let idle = case(&idle(&scenario()), 1, 7).plan;
        assert_eq!((idle.fault, idle.expect.outcome), (None, Outcome::Undisturbed));
    }
}
