//! A row of unhealthy probes, from its first until it is over or a hang.

use std::time::{Duration, Instant};

use crate::config::Timing;

/// Counts what came since the service was last known to be healthy.
#[derive(Debug, Clone, Default)]
pub(super) struct Spell {
    /// Unhealthy probes.
    failures: u32,
    /// Healthy ones in a row, at its end.
    healthy: u32,
    /// Healthy ones came between, too few to rise.
    interrupted: bool,
    /// When the first unhealthy probe was started.
    began: Option<Instant>,
    /// The deadline was widened once.
    widened: bool,
    /// That it is a hang was said, and it goes on.
    is_said: bool,
}

impl Spell {
    /// An unhealthy probe, started at `started`, has ended.
    pub(super) fn unhealthy(&mut self, started: Instant) {
        self.failures = self.failures.saturating_add(1);
        self.interrupted |= self.healthy > 0;
        self.healthy = 0;
        self.began.get_or_insert(started);
    }

    /// A healthy one has; whether the service is healthy now, with the failures of the row that is over.
    pub(super) fn healthy(&mut self, timing: &Timing) -> Option<u32> {
        self.healthy = self.healthy.saturating_add(1);
        if self.failures > 0 && self.healthy < timing.rise {
            return None;
        }
        Some(std::mem::take(self).failures)
    }

    /// N failures, over [`Timing::shortest_spell`] at least.
    pub(super) fn is_hang(&self, timing: &Timing, now: Instant) -> bool {
        self.failures >= timing.failures && self.lasted(now) >= timing.shortest_spell()
    }

    /// Since the first unhealthy probe was started.
    pub(super) fn lasted(&self, now: Instant) -> Duration {
        self.began.map_or(Duration::ZERO, |began| now - began)
    }

    /// `3 probes in a row unhealthy`
    pub(super) fn text(&self, timing: &Timing) -> String {
        let (failures, plural) = (self.failures, if self.failures == 1 { "" } else { "s" });
        if self.interrupted {
            format!("{failures} probe{plural} unhealthy, without {} healthy in a row", timing.rise)
        } else {
            format!("{failures} probe{plural} in a row unhealthy")
        }
    }

    /// Unhealthy probes so far.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// True the first time.
    pub(super) fn widen(&mut self) -> bool {
        !std::mem::replace(&mut self.widened, true)
    }

    /// True the first time.
    pub(super) fn say(&mut self) -> bool {
        !std::mem::replace(&mut self.is_said, true)
    }
}
