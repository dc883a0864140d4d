//! What is done about a hang, step by step: [`Act`] says which is next.

use super::{Act, Phase, State};
use crate::guard::event::{Actions, Hang, Moment, Task};
use crate::guard::note::Note;
use crate::guard::settings::Settings;
use crate::guard::unit::{Standing, Unit};

impl State {
    /// It hangs. Where that was called already, it is left alone.
    pub(super) fn hung(&mut self, at: Moment, actions: &mut Actions) {
        if self.rules.dry_run {
            if !self.watch.call() {
                return;
            }
        } else if self.budget.has_room(at.now) {
            actions.notes.push(Note::Hung { reason: self.hang_text() });
        } else {
            if self.watch.call() {
                let (limit, window) = self.rules.budget;
                actions.notes.push(Note::Exhausted { reason: self.hang_text(), limit, window });
            }
            return;
        }
        self.phase = Phase::Acting(Act::ReadingSettings);
        self.due = None;
        self.begin(Task::ReadSettings, at.now, actions);
    }

    pub(super) fn read(&mut self, settings: Result<Settings, String>, at: Moment, actions: &mut Actions) {
        if !matches!(self.phase, Phase::Acting(Act::ReadingSettings)) {
            return;
        }
        match settings {
            Err(why) => self.cannot(Note::CannotRead { why }, at, actions),
            Ok(_) if at.maintenance => self.stand_aside(at, actions),
            Ok(settings) => {
                let mut reason = self.hang_text();
                if self.rules.dry_run {
                    let plan = settings.plan(self.rules.restart, &self.unit);
                    let note = Note::DryRun { reason: reason.clone(), plan: plan.clone() };
                    actions.notes.push(note);
                    reason = format!("{reason}; but for --dry-run, it would be {plan}");
                }
                let hang = self.rules.report.map(|budget| Hang {
                    unit: self.unit.id.clone(),
                    main_pid: Some(self.unit.main_pid).filter(|&pid| pid > 0),
                    control_group: settings.control_group.clone(),
                    reason,
                    budget,
                });
                self.phase = Phase::Acting(Act::Reporting(settings));
                match hang {
                    Some(hang) => self.begin(Task::Report(hang), at.now, actions),
                    None => self.reported(at, actions),
                }
            }
        }
    }

    pub(super) fn reported(&mut self, at: Moment, actions: &mut Actions) {
        let Phase::Acting(Act::Reporting(settings)) = &self.phase else { return };
        let settings = settings.clone();
        if self.rules.dry_run {
            self.phase = Phase::Watching;
            self.no_hurry(at.now);
        } else {
            self.signal(settings, at, actions);
        }
    }

    fn signal(&mut self, settings: Settings, at: Moment, actions: &mut Actions) {
        if at.maintenance {
            return self.stand_aside(at, actions);
        }
        let (whom, signal) = (settings.whom(&self.unit), settings.watchdog_signal);
        self.budget.spend(at.now);
        actions.ends = Some(self.budget.spent());
        self.was_ended = true;
        actions.notes.push(Note::Signalling { signal, whom });
        self.due = settings.kill_after().map(|after| at.now + after);
        self.phase = Phase::Acting(Act::Signalled(settings));
        self.begin(Task::Kill { whom, signal }, at.now, actions);
    }

    pub(super) fn called(&mut self, result: Result<(), String>, at: Moment, actions: &mut Actions) {
        match (&self.phase, result) {
            // It is on its way, and systemd says so.
            (Phase::Acting(Act::Starting), Ok(())) => {
                self.stand(at, actions);
                // News of the job may come before the answer to the order, or after it.
                let was_seen = std::mem::replace(&mut self.is_returning, self.was_ended);
                if was_seen && self.unit.job == 0 && self.unit.standing() == Standing::Dead {
                    self.stays_down(actions);
                }
            }
            (Phase::Acting(Act::Starting), Err(why)) => self.cannot_start(why, actions),
            (Phase::Acting(Act::Signalled(_) | Act::Killed(_)), Err(why)) => {
                self.cannot(Note::CannotKill { why }, at, actions);
            }
            _ => {}
        }
    }

    /// It hangs on. The next try comes after as many failures again, as long as the budget lasts.
    fn cannot(&mut self, note: Note, at: Moment, actions: &mut Actions) {
        actions.notes.push(note);
        self.watch.forget();
        self.phase = Phase::Watching;
        self.due = Some(at.now + self.rules.timing.interval);
    }

    pub(super) fn died(&mut self, settings: &Settings, at: Moment, actions: &mut Actions) {
        let objection = settings.objection(self.rules.restart, &self.unit);
        let objection = objection.or_else(|| at.maintenance.then(|| "maintenance".to_owned()));
        if let Some(why) = objection {
            return self.leave_dead(why, actions);
        }
        self.enter(Phase::Acting(Act::Dead), actions);
        self.due = Some(at.now + settings.restart_after);
    }

    fn leave_dead(&mut self, why: String, actions: &mut Actions) {
        self.remark = Some(format!("not started again: {why}"));
        actions.notes.push(Note::NotStarted { why });
        self.was_ended = false;
        self.rest(actions);
    }

    fn cannot_start(&mut self, why: String, actions: &mut Actions) {
        self.remark = Some(format!("could not be started: {why}"));
        actions.notes.push(Note::CannotStart { why });
        self.was_ended = false;
        self.rest(actions);
    }

    pub(super) fn looked(&mut self, looked: Result<Unit, String>, at: Moment, actions: &mut Actions) {
        if !matches!(self.phase, Phase::Acting(Act::Looking)) {
            return;
        }
        match looked {
            Err(why) => self.cannot_start(why, actions),
            Ok(unit) => {
                self.unit = unit;
                if self.unit.standing() != Standing::Dead {
                    self.stand(at, actions);
                } else if self.unit.job != 0 {
                    self.give_way(at, actions);
                } else if at.maintenance {
                    self.leave_dead("maintenance".to_owned(), actions);
                } else {
                    actions.notes.push(Note::Starting);
                    self.phase = Phase::Acting(Act::Starting);
                    self.begin(Task::Start, at.now, actions);
                }
            }
        }
    }

    fn hang_text(&self) -> String {
        let reason = self.reason.as_ref().map(ToString::to_string).unwrap_or_default();
        format!("{}: {reason}", self.watch.row())
    }
}
