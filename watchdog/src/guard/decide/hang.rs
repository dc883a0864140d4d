//! What is done about a hang, step by step: [`Act`] says which is next.

use super::{Act, GuardState, Phase};
use crate::guard::comeback::Comeback;
use crate::guard::event::{Actions, Failure, Hang, Moment, Task};
use crate::guard::note::Note;
use crate::guard::settings::Settings;
use crate::guard::unit::{Standing, Unit};
use crate::systemd::shall_restart::Death;

impl GuardState {
    /// It hangs. Where that was called already, it is left alone.
    pub(super) fn hung(&mut self, at: Moment, actions: &mut Actions) {
        // A job that waits for others, as when the machine goes down.
        if self.unit.is_ordered() {
            return;
        }
        // One that goes on is said once, whichever set finds it too.
        let (was_called, has_obstacle) = (self.is_called(), self.obstacle().is_some());
        let watch = &mut self.sets[self.hung].watch;
        if self.rules.dry_run || has_obstacle {
            if !watch.call() || was_called {
                return;
            }
        } else if !self.budget.has_room(at.now) {
            if watch.call() && !was_called {
                let (limit, window) = self.rules.budget;
                actions.notes.push(Note::Exhausted { reason: self.hang_text(), limit, window });
            }
            return;
        } else if self.refusal.as_ref().is_some_and(|(_, again)| at.now < *again) {
            return;
        }
        // What other sets ask meanwhile tells nobody anything.
        self.enter(Phase::Acting(Act::ReadingSettings), actions);
        self.begin(Task::ReadSettings, at.now, actions);
    }

    pub(super) fn read(&mut self, settings: Result<Settings, String>, at: Moment, actions: &mut Actions) {
        if !matches!(self.phase, Phase::Acting(Act::ReadingSettings)) {
            return;
        }
        match settings {
            Err(why) => self.cannot(Note::CannotRead { why }, at, actions),
            Ok(_) if at.maintenance => self.stand_aside(at, actions),
            Ok(settings) => self.called_a_hang(settings, at, actions),
        }
    }

    /// What is done about it follows from its settings as they are now.
    fn called_a_hang(&mut self, settings: Settings, at: Moment, actions: &mut Actions) {
        let comeback = Comeback::foreseen(self.rules.restart, &settings, self.before(), &self.unit);
        let plan = comeback.plan(&settings, &self.unit);
        let is_to_end = !self.rules.dry_run && comeback.may_end();
        let mut reason = self.hang_text();
        if self.rules.dry_run {
            actions.notes.push(Note::DryRun { reason: reason.clone(), plan: plan.clone() });
            reason = format!("{reason}; without --dry-run, it would be {plan}");
        } else if let Comeback::Nobody(obstacle) = comeback
            && !is_to_end
        {
            self.sets[self.hung].watch.call();
            actions.notes.push(Note::LeftAlone { reason: reason.clone(), obstacle });
            reason = format!("{reason}; it is {plan}");
        } else if self.refusal.is_none() {
            actions.notes.push(Note::Hung { reason: reason.clone() });
        }
        // One that systemd refuses to end was reported already.
        let hang = self.rules.report.filter(|_| self.refusal.is_none()).map(|budget| Hang {
            unit: self.unit.id.clone(),
            main_pid: Some(self.unit.main_pid).filter(|&pid| pid > 0),
            control_group: settings.control_group.clone(),
            reason,
            budget,
        });
        self.settings_are(settings.clone(), actions);
        self.phase = Phase::Acting(Act::Reporting { settings, is_to_end });
        match hang {
            Some(hang) => self.begin(Task::Report(hang), at.now, actions),
            None => self.reported(at, actions),
        }
    }

    pub(super) fn reported(&mut self, at: Moment, actions: &mut Actions) {
        let Phase::Acting(Act::Reporting { settings, is_to_end }) = &self.phase else { return };
        if *is_to_end {
            let settings = settings.clone();
            self.signal(settings, at, actions);
        } else {
            self.no_hurry(at.now);
            self.go_on_watching(at, actions);
        }
    }

    /// From its next probe on, which is due; if it may be probed.
    fn go_on_watching(&mut self, at: Moment, actions: &mut Actions) {
        self.phase = Phase::Watching;
        // The signal was not sent, and SIGKILL is not to be.
        self.due = None;
        self.ask_the_others(at.now);
        if !matches!(self.unit.standing(), Standing::Serving(_)) {
            self.stand(at, actions);
        }
    }

    fn signal(&mut self, settings: Settings, at: Moment, actions: &mut Actions) {
        if at.maintenance {
            return self.stand_aside(at, actions);
        }
        let (whom, signal) = (settings.whom(&self.unit), settings.watchdog_signal);
        // Before it is done: this guard may end at any moment.
        self.budget.spend(at.now);
        actions.ends = Some(self.budget.spent());
        self.was_ended = true;
        if self.refusal.is_none() {
            actions.notes.push(Note::Signalling { signal, whom });
        }
        self.due = settings.kill_after().map(|after| at.now + after);
        self.phase = Phase::Acting(Act::Signalled(settings));
        self.begin(Task::Kill { whom, signal }, at.now, actions);
    }

    pub(super) fn called(&mut self, result: Result<(), Failure>, at: Moment, actions: &mut Actions) {
        match (&self.phase, result) {
            // It is on its way, and systemd says so.
            (Phase::Acting(Act::Starting), Ok(())) => {
                self.stand(at, actions);
                // News of the job may come before the answer to the order, or after it.
                let was_seen = std::mem::replace(&mut self.is_returning, self.was_ended);
                if was_seen && self.unit.job.is_none() && self.unit.standing() == Standing::Dead {
                    self.stays_down(actions);
                }
            }
            (Phase::Acting(Act::Starting), Err(failure)) => self.cannot_start(failure.why, actions),
            (Phase::Acting(Act::Signalled(_)), Err(Failure { why, is_refusal: true })) => {
                self.refused(why, at, actions);
            }
            // It may have been done, or be done later: what is not dead after TimeoutAbortSec= shows that it was not.
            (Phase::Acting(Act::Signalled(settings)), Err(failure)) if settings.kill_after().is_some() => {
                actions.notes.push(Note::CannotKill { why: failure.why });
            }
            (Phase::Acting(Act::Signalled(_) | Act::Killed(_)), Err(failure)) => {
                self.cannot(Note::CannotKill { why: failure.why }, at, actions);
            }
            _ => {}
        }
    }

    /// systemd does not let us. Nothing was done, so nothing is spent. It may let us later (polkit's rules), so it is asked
    /// again every W while the hang goes on, which is said and reported once.
    fn refused(&mut self, why: String, at: Moment, actions: &mut Actions) {
        self.budget.refund();
        actions.ends = Some(self.budget.spent());
        self.was_ended = false;
        self.sets[self.hung].watch.call();
        if self.refusal.as_ref().is_none_or(|(said, _)| *said != why) {
            actions.notes.push(Note::CannotKill { why: why.clone() });
        }
        self.refusal = Some((why, at.now + self.rules.watchdog));
        self.no_hurry(at.now);
        self.go_on_watching(at, actions);
    }

    /// It hangs on. The next try comes after as many failures again, as long as the budget lasts.
    fn cannot(&mut self, note: Note, at: Moment, actions: &mut Actions) {
        actions.notes.push(note);
        let set = &mut self.sets[self.hung];
        set.watch.forget();
        set.due = Some(at.now + set.timing.interval);
        self.go_on_watching(at, actions);
    }

    pub(super) fn died(&mut self, settings: &Settings, at: Moment, actions: &mut Actions) {
        if at.maintenance {
            return self.leave_dead("maintenance".to_owned(), actions);
        }
        let start_at = at.now + settings.restart_after;
        // Where nobody starts it that can be seen, and said, at once.
        let look_at = match self.comeback(settings) {
            Comeback::Systemd | Comeback::Guard => start_at,
            Comeback::Nobody(_) => at.now,
        };
        self.enter(Phase::Acting(Act::Dead { start_at }), actions);
        self.due = Some(look_at);
    }

    /// Who starts it again, now that it has ended.
    fn comeback(&self, settings: &Settings) -> Comeback {
        Comeback::after(self.rules.restart, settings, self.before(), Death::new(self.unit.exit))
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

    pub(super) fn looked(
        &mut self,
        looked: Result<(Unit, Settings), String>,
        at: Moment,
        actions: &mut Actions,
    ) {
        let Phase::Acting(Act::Looking { start_at }) = self.phase else { return };
        let (unit, settings) = match looked {
            Err(why) => return self.cannot_start(why, actions),
            Ok(looked) => looked,
        };
        self.unit = unit;
        if self.unit.standing() != Standing::Dead {
            return self.stand(at, actions);
        }
        if self.unit.is_ordered() {
            return self.give_way(at, actions);
        }
        if at.maintenance {
            return self.leave_dead("maintenance".to_owned(), actions);
        }
        match self.comeback(&settings) {
            Comeback::Nobody(obstacle) => self.leave_dead(obstacle.to_string(), actions),
            Comeback::Systemd | Comeback::Guard if at.now < start_at => {
                self.phase = Phase::Acting(Act::Dead { start_at });
                self.due = Some(start_at);
            }
            // Where systemd was to do it, it has not.
            Comeback::Systemd | Comeback::Guard => {
                actions.notes.push(Note::Starting);
                self.phase = Phase::Acting(Act::Starting);
                self.begin(Task::Start { is_exited: self.unit.is_exited() }, at.now, actions);
            }
        }
    }

    fn hang_text(&self) -> String {
        let set = &self.sets[self.hung];
        let reason = set.reason.as_ref().map(ToString::to_string).unwrap_or_default();
        format!("{}: {reason}", set.watch.row())
    }
}
