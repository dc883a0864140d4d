//! Where one set of probes stands: each runs on a schedule of its own, and none waits for another.

use std::time::Instant;

use super::{Phase, State};
use crate::config;
use crate::hang::timing::Timing;
use crate::hang::watch::Watch;
use crate::kernel::stalls::Pressure;
use crate::words::outcome::Reason;

#[derive(Debug, Clone)]
pub(super) struct Set {
    /// Names what is probed; empty for nothing but COMMAND's own pings.
    pub(super) target: String,
    pub(super) timing: Timing,
    /// It gates READY=1, and is not asked afterwards.
    pub(super) ready_only: bool,
    pub(super) watch: Watch,
    /// Why the last probe was unhealthy, or not enough; kept only while starting.
    pub(super) not_yet: Option<Reason>,
    /// Its last probe was healthy, and ended whatever row of failures there was.
    pub(super) is_sound: bool,
    /// READY or the last healthy probe.
    pub(super) answered: Instant,
    /// When the last healthy probe was sent.
    pub(super) vouched: Instant,
    /// The report of probes that cannot be made was made.
    pub(super) cannot_probe_reported: bool,
    /// When the last probe was sent.
    pub(super) started: Instant,
    /// A probe is under way.
    pub(super) in_flight: bool,
    /// [`None`] while a probe is in flight, and when there are to be no more.
    pub(super) next: Option<Instant>,
    /// What kept the unit from running while the last probe was under way.
    pub(super) pressure: Option<Pressure>,
}

impl Set {
    pub(super) fn new(config: config::Set, target: &str, now: Instant) -> Self {
        let config::Set { timing, ready_only } = config;
        Self {
            target: target.to_owned(),
            timing,
            ready_only,
            watch: Watch::in_front(timing),
            not_yet: None,
            is_sound: false,
            answered: now,
            vouched: now,
            cannot_probe_reported: false,
            started: now,
            in_flight: false,
            next: Some(now),
            pressure: None,
        }
    }

    /// Since when its answer is waited for: the first probe of a row, or the one that is under way.
    fn asked_since(&self) -> Option<Instant> {
        self.watch.row_began().or_else(|| self.in_flight.then_some(self.started))
    }
}

impl State {
    fn watching(&self) -> impl Iterator<Item = &Set> {
        self.sets.iter().filter(|set| !set.ready_only)
    }

    /// Unhealthy probes since the service was last healthy: in the longest row of a set.
    pub fn failures_in_a_row(&self) -> u32 {
        self.watching().map(|set| set.watch.failures()).max().unwrap_or(0)
    }

    /// When the first probe of the set's row of failures was sent; while starting, when COMMAND was started.
    pub fn row_began(&self, set: usize) -> Option<Instant> {
        if self.phase == Phase::Starting {
            Some(self.start.began())
        } else {
            self.sets[set].watch.row_began()
        }
    }

    /// The set whose answer is waited for longest, and since when.
    pub fn asked(&self) -> Option<(usize, Instant)> {
        let sets = self.sets.iter().enumerate().filter(|(_, set)| !set.ready_only);
        sets.filter_map(|(index, set)| Some((index, set.asked_since()?))).min_by_key(|(_, since)| *since)
    }

    /// A set that a start waits for.
    pub fn awaited(&self) -> usize {
        self.sets.iter().position(|set| !set.is_sound).unwrap_or(0)
    }

    /// The last probe of a set could not be made.
    pub fn cannot_probe(&self) -> bool {
        self.watching().any(|set| set.watch.cannot_probe())
    }

    /// A hang that goes on was called one already.
    pub(super) fn is_called(&self) -> bool {
        self.watching().any(|set| set.watch.is_called())
    }

    /// When [`Event::ProbeDue`](super::Event::ProbeDue) of any set is to happen.
    pub fn next_probe(&self) -> Option<Instant> {
        self.sets.iter().filter_map(|set| set.next).min()
    }

    /// When that of this one is.
    pub fn next_probe_of(&self, set: usize) -> Option<Instant> {
        self.sets[set].next
    }

    /// No set that is watched has anything against the service.
    pub(super) fn is_sound(&self) -> bool {
        self.watching().all(|set| set.is_sound)
    }

    /// When the reload was asked for that is over, since all that is asked for it has answered; if one is.
    pub(super) fn reload_answered(&mut self) -> Option<Instant> {
        let is_on = self.reload.is_on();
        let since = self.sets.iter().filter(|set| is_on || !set.ready_only).map(|set| set.vouched).min()?;
        let reaction = self.watching().map(|set| set.timing.timeout).max()?;
        self.reload.answered(since, reaction)
    }

    /// The set that COMMAND's own pings are counted in.
    pub(super) fn carrier(&self) -> usize {
        self.sets.iter().position(|set| !set.ready_only).unwrap_or(0)
    }

    /// The probes of these sets are to be sent no later than `at`, unless one is under way.
    pub(super) fn ask_by(&mut self, at: Instant, which: impl Fn(&Set) -> bool) {
        for set in self.sets.iter_mut().filter(|set| !set.in_flight && which(set)) {
            set.next = Some(set.next.map_or(at, |next| next.min(at)));
        }
    }
}
