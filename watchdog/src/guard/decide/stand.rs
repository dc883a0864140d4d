//! What becomes of our work as UNIT changes, or systemd goes out of reach.

use std::time::Instant;

use super::{Act, Phase, State};
use crate::guard::event::{Actions, Moment};
use crate::guard::note::Note;
use crate::guard::unit::{Standing, Unit};
use crate::spell::Spell;

impl State {
    pub(super) fn seen(&mut self, unit: Unit, at: Moment, actions: &mut Actions) {
        let job = unit.job != 0;
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
            // Somebody has ended its coming back; who starts it later does not do so for the hang.
            (Phase::Resting, Standing::Dead) if !job => self.was_ended = false,
            _ => {}
        }
        match (&self.phase, self.unit.standing()) {
            (Phase::Acting(Act::Starting), Standing::Dead) => {}
            (Phase::Acting(_), _) if job => self.give_way(at, actions),
            (Phase::Acting(Act::Dead | Act::Looking), Standing::Dead) => {}
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
            (Phase::Acting(_), Standing::Serving(instance)) if self.instance.as_ref() == Some(&instance) => {}
            _ => self.stand(at, actions),
        }
    }

    /// Takes UNIT as it stands.
    pub(super) fn stand(&mut self, at: Moment, actions: &mut Actions) {
        let Standing::Serving(instance) = self.unit.standing() else {
            return self.rest(actions);
        };
        if at.maintenance {
            self.rest(actions);
            self.due = Some(at.now + self.rules.timing.interval);
            return;
        }
        let known = self.instance.as_ref() == Some(&instance);
        if known && matches!(self.phase, Phase::Starting { .. } | Phase::Watching) {
            return;
        }
        self.forget();
        if !known && std::mem::take(&mut self.was_ended) {
            self.restarts += 1;
        }
        self.instance = Some(instance);
        self.remark = None;
        // One that we watched already, before systemd was out of reach, needs no grace.
        let phase = if known && self.settled {
            Phase::Watching
        } else {
            self.settled = false;
            Phase::Starting { until: at.now + self.rules.start_grace }
        };
        self.enter(phase, actions);
        self.due = Some(at.now);
    }

    pub(super) fn rest(&mut self, actions: &mut Actions) {
        self.forget();
        self.instance = None;
        self.enter(Phase::Resting, actions);
    }

    fn forget(&mut self) {
        self.spell = Spell::default();
        (self.discounted, self.blind, self.widened) = (0, None, None);
        self.reason = None;
        self.latency = None;
    }

    /// Whoever wants something done to UNIT knows more than we do.
    pub(super) fn give_way(&mut self, at: Moment, actions: &mut Actions) {
        let ours = matches!(self.phase, Phase::Acting(Act::Starting));
        if matches!(self.phase, Phase::Acting(_)) && !ours {
            actions.notes.push(Note::GaveWay);
            self.stand(at, actions);
        }
    }

    pub(super) fn lost(&mut self, why: String, now: Instant, actions: &mut Actions) {
        let before = match &self.phase {
            Phase::Acting(act @ (Act::Signalled(_) | Act::Killed(_) | Act::Dead)) => {
                Some((act.clone(), self.due))
            }
            // Whether it was started shows when systemd is back.
            Phase::Acting(Act::Looking | Act::Starting) => Some((Act::Dead, Some(now))),
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
