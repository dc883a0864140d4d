//! Where one set of probes stands: each runs on a schedule of its own, and none waits for another.

use std::time::{Duration, Instant};

use super::{GuardState, Phase};
use crate::hang::timing::Timing;
use crate::hang::watch::Watch;
use crate::kernel::stalls::Pressure;
use crate::words::outcome::Reason;

#[derive(Debug, Clone)]
pub(super) struct Set {
    /// Names what is probed.
    pub(super) target: String,
    pub(super) timing: Timing,
    pub(super) watch: Watch,
    /// When the last probe was sent.
    pub(super) started: Instant,
    /// When the next one is; [`None`] while one is under way, and when there are to be none.
    pub(super) due: Option<Instant>,
    /// The probe under way should have ended by then.
    pub(super) overdue: Option<Instant>,
    /// Its last probe was healthy, in this life of UNIT.
    pub(super) is_sound: bool,
    /// Why its last probe was unhealthy.
    pub(super) reason: Option<Reason>,
    /// Why the last probe could not be made.
    pub(super) cannot_probe: Option<Reason>,
    /// What kept UNIT from running while the last probe was under way.
    pub(super) pressure: Option<Pressure>,
    /// For how long the probe under way has had no answer, and for how much of that UNIT was able to run.
    pub(super) slow: Option<(Duration, Duration)>,
}

impl Set {
    pub(super) fn new(timing: Timing, target: &str, now: Instant) -> Self {
        Self {
            target: target.to_owned(),
            timing,
            watch: Watch::beside(timing),
            started: now,
            due: None,
            overdue: None,
            is_sound: false,
            reason: None,
            cannot_probe: None,
            pressure: None,
            slow: None,
        }
    }

    /// Of another life of UNIT.
    pub(super) fn forget(&mut self) {
        self.watch.forget();
        (self.is_sound, self.reason, self.cannot_probe) = (false, None, None);
        (self.pressure, self.slow) = (None, None);
    }
}

impl GuardState {
    /// When [`Event::Due`](super::Event::Due) is to happen.
    pub fn due(&self) -> Option<Instant> {
        self.next_set().and_then(|set| self.sets[set].due).into_iter().chain(self.due).min()
    }

    /// The one whose probe is due first.
    pub(super) fn next_set(&self) -> Option<usize> {
        let sets = self.sets.iter().enumerate();
        Some(sets.filter_map(|(index, set)| Some((set.due?, index))).min()?.1)
    }

    /// All are asked.
    pub(super) fn ask_all(&mut self, now: Instant) {
        self.sets.iter_mut().for_each(|set| set.due = Some(now));
    }

    /// None is; what is under way is given up.
    pub(super) fn ask_none(&mut self) {
        self.sets.iter_mut().for_each(|set| (set.due, set.overdue) = (None, None));
    }

    /// Unhealthy probes in a row: in the longest row of a set.
    pub fn failures(&self) -> u32 {
        self.sets.iter().map(|set| set.watch.failures()).max().unwrap_or(0)
    }

    /// When the first probe of the set's row of failures was sent, if there is one.
    pub fn row_began(&self, set: usize) -> Option<Instant> {
        self.sets[set].watch.row_began()
    }

    /// A hang that goes on was called one already.
    pub(super) fn is_called(&self) -> bool {
        self.sets.iter().any(|set| set.watch.is_called())
    }

    /// Of the set that it is worst with.
    pub(super) fn reason(&self) -> Option<&Reason> {
        let sets = self.sets.iter().filter(|set| set.reason.is_some());
        let worst = sets.max_by_key(|set| (set.watch.is_called(), set.watch.failures()));
        worst.and_then(|set| set.reason.as_ref())
    }

    pub(super) fn cannot_probe(&self) -> Option<&Reason> {
        self.sets.iter().find_map(|set| set.cannot_probe.as_ref())
    }

    pub(super) fn slow(&self) -> Option<(Duration, Duration)> {
        self.sets.iter().find_map(|set| set.slow)
    }

    pub(super) fn pressure(&self) -> Option<Pressure> {
        self.sets.iter().find_map(|set| set.pressure)
    }

    /// What is under way, and should have ended.
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        let sets = self.sets.iter().filter_map(|set| set.overdue);
        sets.chain(self.overdue).any(|overdue| now > overdue)
    }

    /// The next probe of a hang that was called and left alone.
    pub(super) fn no_hurry(&mut self, now: Instant) {
        let set = &mut self.sets[self.hung];
        set.due = Some(set.watch.without_hurry(set.started, now));
    }

    /// The others are asked in their own time.
    pub(super) fn ask_the_others(&mut self, now: Instant) {
        let hung = self.hung;
        let others = self.sets.iter_mut().enumerate().filter(|(index, _)| *index != hung);
        others.for_each(|(_, set)| set.due = Some((set.started + set.timing.interval).max(now)));
    }

    pub(super) fn is_probing(&self) -> bool {
        matches!(self.phase, Phase::Starting { .. } | Phase::Watching)
    }
}
