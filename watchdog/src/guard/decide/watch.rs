//! From a probe's end to the next probe, or to a hang.

use crate::hang::watch::{Ended, Ruling};
use crate::kernel::stalls::Pressure;
use std::time::{Duration, Instant};

use super::{GuardState, Phase};
use crate::guard::event::{Actions, Moment, Task};
use crate::guard::note::Note;
use crate::words::outcome::Outcome;

impl GuardState {
    pub(super) fn probe(&mut self, now: Instant, actions: &mut Actions) {
        self.probe_started = now;
        self.begin(Task::Probe { limit: self.watch.limit() }, now, actions);
    }

    /// The probe under way is waited for as long as UNIT is kept from running.
    pub(super) fn is_slow(
        &mut self,
        able: Duration,
        pressure: Pressure,
        now: Instant,
        actions: &mut Actions,
    ) {
        self.pressure = Some(pressure);
        if self.slow.replace((now - self.probe_started, able)).is_none() {
            actions.notes.push(Note::Slowed { pressure });
        }
    }

    pub(super) fn probed(&mut self, ended: Ended, at: Moment, actions: &mut Actions) {
        self.ping(at.now, actions);
        self.pressure = ended.pressure;
        let is_stretched = at.now - self.probe_started > self.rules.timing.timeout;
        let is_said = self.slow.take().is_some();
        if let Some(pressure) = ended.pressure.filter(|_| is_stretched && !is_said) {
            actions.notes.push(Note::Slowed { pressure });
        }
        match (&self.phase, &ended.outcome) {
            (Phase::Away(_) | Phase::Resting | Phase::Acting(_) | Phase::Ended, _) => {}
            (Phase::Starting { until }, Outcome::Unhealthy(reason))
                if at.now < *until || !self.has_answered() =>
            {
                self.not_yet(reason.clone(), at, actions);
            }
            (Phase::Starting { .. }, Outcome::Unhealthy(_)) => {
                self.settle();
                self.rule(ended, at, actions);
            }
            (Phase::Starting { .. }, Outcome::Healthy) => {
                self.answers(actions);
                self.settle();
                let took = at.now - self.probe_started;
                actions.notes.push(Note::Answers { target: self.target.clone(), took });
                self.rule(ended, at, actions);
            }
            (Phase::Watching, _) => self.rule(ended, at, actions),
        }
    }

    fn rule(&mut self, ended: Ended, at: Moment, actions: &mut Actions) {
        let (ruling, next) = self.watch.ended(ended, self.probe_started, at.dice.into(), at.now);
        self.due = Some(next);
        self.cannot_probe = None;
        match ruling {
            Ruling::Healthy { failures } => {
                if failures > 0 {
                    actions.notes.push(Note::Recovered { failures });
                }
                (self.latency, self.reason, self.refusal) = (Some(at.now - self.probe_started), None, None);
            }
            Ruling::Rising => {}
            Ruling::CannotProbe { reason, is_new } => {
                if is_new {
                    actions.notes.push(Note::CannotProbe { reason: reason.clone() });
                }
                self.cannot_probe = Some(reason);
            }
            Ruling::Late { late } => actions.notes.push(Note::Discounted { late }),
            Ruling::Failure { reason, is_first } => {
                if is_first {
                    actions.notes.push(Note::Unhealthy { reason: reason.clone() });
                }
                self.reason = Some(reason);
            }
            Ruling::Hang { reason } => {
                self.reason = Some(reason);
                if at.maintenance {
                    self.stand_aside(at, actions);
                } else {
                    self.no_hurry(at.now);
                    self.hung(at, actions);
                }
            }
        }
    }

    /// The next probe of a hang that was called and left alone.
    pub(super) fn no_hurry(&mut self, now: Instant) {
        self.due = Some(self.watch.without_hurry(self.probe_started, now));
    }

    fn settle(&mut self) {
        self.phase = Phase::Watching;
    }
}
