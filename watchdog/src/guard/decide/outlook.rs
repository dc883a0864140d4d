//! What a hang of UNIT would come to, as far as its settings are known: said when UNIT is taken up, and whenever it changes.

use std::time::Instant;

use super::{GuardState, Phase};
use crate::guard::comeback::{Comeback, Obstacle};
use crate::guard::event::{Actions, Moment};
use crate::guard::note::Note;
use crate::guard::settings::Settings;
use crate::guard::unit::{Instance, Standing};
use crate::words::outcome::Reason;

/// What is known of UNIT's settings.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// The life of UNIT that they are of.
    of: Instance,
    /// When that was taken up.
    before: Settings,
    /// As they were read last.
    now: Settings,
}

impl GuardState {
    /// UNIT's settings were read.
    pub(super) fn settings_are(&mut self, now: Settings, actions: &mut Actions) {
        let Standing::Serving(of) = self.unit.standing() else { return };
        let before = self.known.take().filter(|known| known.of == of).map(|known| known.before);
        let known = Known { of, before: before.unwrap_or_else(|| now.clone()), now };
        let comeback = Comeback::foreseen(self.rules.restart, &known.now, Some(&known.before), &self.unit);
        let plan = comeback.plan(&known.now, &self.unit);
        // It differs from an instance before in nothing, as a rule.
        if self.outlook.as_ref() != Some(&plan) {
            self.outlook = Some(plan.clone());
            let is_own_will = comeback != Comeback::Guard || known.now.restart.covers_watchdog();
            let is_dry = self.rules.dry_run;
            actions.notes.push(Note::Outlook { plan, comeback, is_own_will, is_dry });
        }
        self.known = Some(known);
    }

    /// UNIT's settings when it was taken up.
    pub(super) fn before(&self) -> Option<&Settings> {
        self.known.as_ref().map(|known| &known.before)
    }

    /// Why UNIT would not be ended if it hung now, as far as is known.
    pub(super) fn obstacle(&self) -> Option<Obstacle> {
        let Known { before, now, .. } = self.known.as_ref()?;
        match Comeback::foreseen(self.rules.restart, now, Some(before), &self.unit) {
            Comeback::Nobody(obstacle) if obstacle != Obstacle::Told => Some(obstacle),
            _ => None,
        }
    }

    /// Whether a hang would be acted upon, and not only be said.
    pub fn is_armed(&self, now: Instant) -> bool {
        let is_watched = matches!(self.phase, Phase::Starting { .. } | Phase::Watching);
        let is_left_alone = self.rules.dry_run
            || !self.has_answered()
            || self.refusal.is_some()
            || self.obstacle().is_some()
            || !self.budget.has_room(now);
        match self.phase {
            Phase::Acting(_) => !self.rules.dry_run,
            _ => is_watched && !is_left_alone,
        }
    }

    /// UNIT was healthy: all that is asked of it.
    pub(super) fn answers(&mut self, actions: &mut Actions) {
        if !self.has_answered() {
            self.answered.clone_from(&self.instance);
            // One that is tried out beside the real one has nothing to say to that.
            actions.healthy = self.instance.clone().filter(|_| !self.rules.dry_run);
        }
    }

    /// It is not, and nobody knows whether that is its fault.
    pub(super) fn not_yet(&mut self, set: usize, reason: Reason, at: Moment, actions: &mut Actions) {
        let Phase::Starting { until } = self.phase else { return };
        let set = &mut self.sets[set];
        if reason.is_ours() && set.watch.could_not_probe() {
            actions.notes.push(Note::CannotProbe { reason: reason.clone() });
        }
        if at.now >= until && !std::mem::replace(&mut self.is_silence_said, true) {
            let grace = self.rules.start_grace;
            actions.notes.push(Note::NeverHealthy { grace, reason: reason.clone() });
        }
        set.reason = Some(reason);
        set.due = Some((set.started + set.timing.interval).max(at.now));
    }

    /// The life of UNIT that runs was healthy once, under these probes: what never was is not ended. It need not hang: a
    /// probe that is wrong looks just so. Nor does an end help one that is long in starting, or recovers from the last.
    pub(super) fn has_answered(&self) -> bool {
        self.instance.is_some() && self.answered == self.instance
    }
}
