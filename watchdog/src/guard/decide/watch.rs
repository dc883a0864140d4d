//! From a probe's end to the next probe, or to a hang.

use crate::hang::watch::{Ended, Ruling};
use crate::kernel::stalls::Pressure;
use std::time::{Duration, Instant};

use super::{GuardState, Phase};
use crate::guard::event::{Actions, Moment, Task};
use crate::guard::note::Note;
use crate::words::outcome::Outcome;

impl GuardState {
    pub(super) fn probe(&mut self, index: usize, now: Instant, actions: &mut Actions) {
        let set = &mut self.sets[index];
        (set.started, set.due) = (now, None);
        let limit = set.watch.limit();
        self.begin(Task::Probe { set: index, limit }, now, actions);
    }

    /// The probe under way is waited for as long as UNIT is kept from running.
    pub(super) fn is_slow(
        &mut self,
        set: usize,
        able: Duration,
        pressure: Pressure,
        now: Instant,
        actions: &mut Actions,
    ) {
        let set = &mut self.sets[set];
        set.pressure = Some(pressure);
        if set.slow.replace((now - set.started, able)).is_none() {
            actions.notes.push(Note::Slowed { pressure });
        }
    }

    pub(super) fn probed(&mut self, index: usize, ended: Ended, at: Moment, actions: &mut Actions) {
        self.ping(at.now, actions);
        let set = &mut self.sets[index];
        set.pressure = ended.pressure;
        set.is_sound = ended.outcome == Outcome::Healthy;
        let took = at.now - set.started;
        let is_stretched = took > set.timing.timeout;
        let is_said = set.slow.take().is_some();
        if let Some(pressure) = ended.pressure.filter(|_| is_stretched && !is_said) {
            actions.notes.push(Note::Slowed { pressure });
        }
        match (&self.phase, &ended.outcome) {
            (Phase::Away(_) | Phase::Resting | Phase::Acting(_) | Phase::Ended, _) => {}
            (Phase::Starting { until }, Outcome::Unhealthy(reason))
                if at.now < *until || !self.has_answered() =>
            {
                self.not_yet(index, reason.clone(), at, actions);
            }
            (Phase::Starting { .. }, Outcome::Unhealthy(_)) => {
                self.settle();
                self.rule(index, ended, at, actions);
            }
            (Phase::Starting { .. }, Outcome::Healthy) => {
                if self.sets.iter().all(|set| set.is_sound) {
                    self.answers(actions);
                    self.settle();
                    let target = self.sets[index].target.clone();
                    actions.notes.push(Note::Answers { target, took });
                }
                self.rule(index, ended, at, actions);
            }
            (Phase::Watching, _) => self.rule(index, ended, at, actions),
        }
    }

    fn rule(&mut self, index: usize, ended: Ended, at: Moment, actions: &mut Actions) {
        let set = &mut self.sets[index];
        let (ruling, next) = set.watch.ended(ended, set.started, at.dice.into(), at.now);
        (set.due, set.cannot_probe) = (Some(next), None);
        match ruling {
            Ruling::Healthy { failures } => {
                set.reason = None;
                self.latency = Some(at.now - set.started);
                // Of several sets, what is wrong with one is the news.
                if failures > 0 && self.failures() == 0 {
                    actions.notes.push(Note::Recovered { failures });
                }
                // It may be about another's hang.
                if !self.is_called() {
                    self.refusal = None;
                }
            }
            Ruling::Rising => {}
            Ruling::CannotProbe { reason, is_new } => {
                if is_new {
                    actions.notes.push(Note::CannotProbe { reason: reason.clone() });
                }
                set.cannot_probe = Some(reason);
            }
            Ruling::Late { late } => actions.notes.push(Note::Discounted { late }),
            Ruling::Failure { reason, is_first } => {
                if is_first {
                    actions.notes.push(Note::Unhealthy { reason: reason.clone() });
                }
                set.reason = Some(reason);
            }
            Ruling::Hang { reason } => {
                set.reason = Some(reason);
                self.hung = index;
                if at.maintenance {
                    self.stand_aside(at, actions);
                } else {
                    self.no_hurry(at.now);
                    self.hung(at, actions);
                }
            }
        }
    }

    fn settle(&mut self) {
        self.phase = Phase::Watching;
    }
}
