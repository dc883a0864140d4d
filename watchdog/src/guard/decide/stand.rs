//! What becomes of our work as UNIT changes, or systemd goes out of reach.

use std::time::Instant;

use super::{Act, GuardState, Phase, Set};
use crate::guard::event::{Actions, Moment};
use crate::guard::note::Note;
use crate::guard::unit::{Standing, Unit};

impl GuardState {
    pub(super) fn seen(&mut self, unit: Unit, at: Moment, actions: &mut Actions) {
        let is_ordered = unit.is_ordered();
        // `ready` follows at the end of this very step. Later it may go away, which is for others to know.
        if !self.ready && unit.load == "not-found" {
            actions.notes.push(Note::NotThere);
        }
        self.unit = unit;
        if let Phase::Away(before) = &mut self.phase {
            self.remark = None;
            (self.phase, self.due) = match before.take() {
                Some((act, due)) => (Phase::Acting(act), due),
                None => (Phase::Resting, None),
            };
        }
        match (&self.phase, self.unit.standing()) {
            (Phase::Resting, Standing::Dead) if !is_ordered => self.stays_down(actions),
            _ => {}
        }
        match (&self.phase, self.unit.standing()) {
            (Phase::Acting(Act::Starting), Standing::Dead) => {}
            (Phase::Acting(_), _) if is_ordered => self.give_way(at, actions),
            (Phase::Acting(Act::Dead { .. } | Act::Looking { .. }), Standing::Dead) => {}
            (Phase::Acting(Act::Signalled(settings) | Act::Killed(settings)), Standing::Dead) => {
                let settings = settings.clone();
                self.died(&settings, at, actions);
            }
            (Phase::Acting(Act::Signalled(_) | Act::Killed(_)), Standing::Between)
                if self.unit.is_going() =>
            {
                // TimeoutStopSec= is systemd's to keep now.
                self.due = None;
            }
            // It dies of the signal that was sent, or the row of unhealthy probes was complete, whatever else goes on.
            (
                Phase::Acting(
                    Act::ReadingSettings | Act::Reporting { .. } | Act::Signalled(_) | Act::Killed(_),
                ),
                Standing::Between,
            ) if self.unit.is_reloading() && self.is_same_life() => {}
            (Phase::Acting(_), Standing::Serving(instance)) if self.instance.as_ref() == Some(&instance) => {}
            _ => self.stand(at, actions),
        }
        let has_our_job = self.unit.job.is_some() && matches!(self.phase, Phase::Acting(Act::Starting));
        let is_on_its_way = has_our_job || self.unit.is_coming();
        self.is_returning |= self.was_ended && is_on_its_way && self.is_waiting();
    }

    /// UNIT is the one that we probed. While it still reloads, its main process may be gone.
    fn is_same_life(&self) -> bool {
        self.instance.as_ref().is_some_and(|instance| {
            instance.invocation == self.unit.invocation
                && [0, instance.main_pid].contains(&self.unit.main_pid)
        })
    }

    /// For its return, or for the answer to our own order to start it.
    fn is_waiting(&self) -> bool {
        matches!(self.phase, Phase::Resting | Phase::Acting(Act::Starting))
    }

    /// It does not come back; who starts it later does not do so for the hang.
    ///
    /// Where somebody stopped it, it is `inactive`. Before it was on its way, `failed` is old news of its end.
    pub(super) fn stays_down(&mut self, actions: &mut Actions) {
        self.was_ended = false;
        if std::mem::take(&mut self.is_returning) && self.unit.active == "failed" {
            let result = self.unit.result.clone();
            self.remark = Some(format!("stays down after its hang, Result={result}"));
            actions.notes.push(Note::StaysDown { result });
        }
    }

    /// Takes UNIT as it stands.
    pub(super) fn stand(&mut self, at: Moment, actions: &mut Actions) {
        let Standing::Serving(instance) = self.unit.standing() else {
            return self.rest(actions);
        };
        if at.maintenance {
            self.rest(actions);
            self.due = Some(at.now + self.sets[0].timing.interval);
            return;
        }
        let known = self.instance.as_ref() == Some(&instance);
        if known && self.is_probing() {
            return;
        }
        self.forget();
        if !known && std::mem::take(&mut self.was_ended) {
            self.restarts += 1;
            self.is_returning = false;
        }
        self.instance = Some(instance);
        self.remark = None;
        self.is_silence_said &= known;
        // One that we watched already, before systemd was out of reach, needs no grace.
        let phase = if known && self.has_answered() {
            Phase::Watching
        } else {
            Phase::Starting { until: at.now + self.rules.start_grace }
        };
        self.enter(phase, actions);
        self.ask_all(at.now);
    }

    pub(super) fn rest(&mut self, actions: &mut Actions) {
        self.forget();
        self.instance = None;
        self.enter(Phase::Resting, actions);
    }

    fn forget(&mut self) {
        self.sets.iter_mut().for_each(Set::forget);
        (self.latency, self.refusal) = (None, None);
    }

    /// Whoever has UNIT ended or started knows more than we do.
    pub(super) fn give_way(&mut self, at: Moment, actions: &mut Actions) {
        let ours = matches!(self.phase, Phase::Acting(Act::Starting));
        if matches!(self.phase, Phase::Acting(_)) && !ours {
            actions.notes.push(Note::GaveWay);
            self.stand(at, actions);
        }
    }

    pub(super) fn lost(&mut self, why: String, now: Instant, actions: &mut Actions) {
        let before = match &self.phase {
            Phase::Acting(act @ (Act::Signalled(_) | Act::Killed(_) | Act::Dead { .. })) => {
                Some((act.clone(), self.due))
            }
            // Whether it was started shows when systemd is back.
            Phase::Acting(Act::Looking { .. } | Act::Starting) => {
                Some((Act::Dead { start_at: now }, Some(now)))
            }
            Phase::Away(_) => return,
            _ => None,
        };
        if before.is_none() {
            self.forget();
        }
        actions.notes.push(Note::Lost { why: why.clone() });
        self.remark = Some(why);
        self.enter(Phase::Away(before), actions);
    }
}
