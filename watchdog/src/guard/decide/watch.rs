//! From a probe's end to the next probe, or to a hang.

use std::time::{Duration, Instant};

use super::{Phase, State};
use crate::guard::event::{Actions, Moment, Task};
use crate::guard::note::Note;
use crate::hang::timing;
use crate::kernel::starvation::Pressure;
use crate::words::outcome::{Cause, Outcome, Reason};

impl State {
    pub(super) fn probe(&mut self, timeout: Duration, now: Instant, actions: &mut Actions) {
        self.probe_started = now;
        self.begin(Task::Probe { timeout }, now, actions);
    }

    pub(super) fn probed(
        &mut self,
        outcome: Outcome,
        late: Duration,
        pressure: Option<Pressure>,
        at: Moment,
        actions: &mut Actions,
    ) {
        self.ping(at.now, actions);
        self.widened = None;
        match (&self.phase, outcome) {
            (Phase::Away(_) | Phase::Resting | Phase::Acting(_) | Phase::Ended, _) => {}
            (Phase::Starting { .. } | Phase::Watching, Outcome::Healthy) => self.healthy(at, actions),
            (Phase::Starting { .. } | Phase::Watching, Outcome::Unhealthy(reason)) => {
                self.unhealthy(reason, late, pressure, at, actions);
            }
        }
    }

    fn healthy(&mut self, at: Moment, actions: &mut Actions) {
        let timing = self.rules.timing;
        (self.discounted, self.blind) = (0, None);
        let took = at.now - self.probe_started;
        if let Phase::Starting { .. } = self.phase {
            self.settle();
            actions.notes.push(Note::Answers { target: self.target.clone(), took });
        }
        let Some(failures) = self.spell.healthy(&timing) else {
            self.due = Some(at.now + timing.retry_interval);
            return;
        };
        if failures > 0 {
            actions.notes.push(Note::Recovered { failures });
        }
        self.vouched = self.probe_started;
        (self.latency, self.reason) = (Some(took), None);
        let jitter = f32::from(timing.jitter) / 100.0 * at.dice.clamp(0.0, 1.0);
        self.due = Some((self.probe_started + timing.interval.mul_f32(1.0 - jitter)).max(at.now));
    }

    fn unhealthy(
        &mut self,
        reason: Reason,
        late: Duration,
        pressure: Option<Pressure>,
        at: Moment,
        actions: &mut Actions,
    ) {
        let timing = self.rules.timing;
        let cannot_probe = reason.cause() == Cause::System;
        if cannot_probe && self.blind.is_none() {
            actions.notes.push(Note::CannotProbe { reason: reason.clone() });
        }
        self.blind = cannot_probe.then(|| reason.clone());
        if let Phase::Starting { until } = self.phase {
            if at.now < until {
                self.reason = Some(reason);
                self.due = Some((self.probe_started + timing.interval).max(at.now));
                return;
            }
            self.settle();
        }
        if !timing::is_too_late(late, &timing) {
            self.discounted = 0;
        } else if self.discounted < timing.failures {
            self.discounted += 1;
            actions.notes.push(Note::Discounted { late });
            self.due = Some(at.now);
            return;
        }
        if cannot_probe {
            self.due = Some(at.now + timing.retry_interval);
        } else {
            self.counted(reason, pressure, at, actions);
        }
    }

    fn counted(&mut self, reason: Reason, pressure: Option<Pressure>, at: Moment, actions: &mut Actions) {
        let timing = self.rules.timing;
        self.spell.unhealthy(self.probe_started);
        self.reason = Some(reason.clone());
        if !self.spell.is_hang(&timing, at.now) {
            if self.spell.failures() == 1 {
                actions.notes.push(Note::Unhealthy { reason });
            }
            self.due = Some(at.now + timing.retry_interval);
        } else if at.maintenance {
            self.stand_aside(at, actions);
        } else if let Some((pressure, timeout)) =
            self.spell.widen(&timing, pressure, self.rules.pressure_limit, self.left(at.now))
        {
            self.widened = Some(self.spell.widened_text(&timing, &reason, pressure, timeout));
            actions.notes.push(Note::Widened { pressure, timeout });
            self.probe(timeout, at.now, actions);
        } else {
            self.no_hurry(at.now);
            self.hung(at, actions);
        }
    }

    /// What W leaves for one more probe, so that what follows a hang still begins within W of when UNIT was last healthy.
    fn left(&self, now: Instant) -> Duration {
        let report = self.rules.report.unwrap_or_default();
        let last_call = timing::last_call(self.vouched, self.rules.watchdog);
        last_call.saturating_duration_since(now).saturating_sub(report)
    }

    /// The next probe of a hang that was called and left alone.
    pub(super) fn no_hurry(&mut self, now: Instant) {
        let timing = &self.rules.timing;
        let gap = timing.interval.max(timing.timeout + timing.retry_interval);
        self.due = Some((self.probe_started + gap).max(now));
    }

    fn settle(&mut self) {
        self.settled = true;
        self.vouched = self.probe_started;
        self.phase = Phase::Watching;
    }
}
