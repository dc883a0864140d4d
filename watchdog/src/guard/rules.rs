//! What a guard goes by.

use std::time::Duration;

use crate::cli::RestartRule;
use crate::hang::timing::Timing;

/// From the command line and our own unit.
#[derive(Debug, Clone)]
pub struct Rules {
    /// W: within what time a hang must be noticed.
    pub watchdog: Duration,
    /// When to probe each set, and what makes a hang; never empty.
    pub sets: Vec<Timing>,
    /// When others keep UNIT from running: a share of the time in percent, or never.
    pub pressure_limit: Option<u8>,
    /// How long after its start UNIT need not answer.
    pub start_grace: Duration,
    /// Whether UNIT is started again.
    pub restart: RestartRule,
    /// How often it may be ended within what time.
    pub budget: (u32, Duration),
    /// How long the hang report may take; [`None`]: there is none.
    pub report: Option<Duration>,
    /// Only say what would be done.
    pub dry_run: bool,
    /// From one ping to the next, at most; [`None`]: our own unit has no watchdog.
    pub turn: Option<Duration>,
}

impl Rules {
    /// The timing of the set that finds a hang last.
    pub fn slowest(&self) -> Timing {
        let slowest = self.sets.iter().max_by_key(|timing| timing.detect_bound());
        slowest.copied().unwrap_or_else(|| Timing::for_watchdog(self.watchdog))
    }

    /// The longest time from a hang until a set has found it.
    pub fn detect_bound(&self) -> Duration {
        self.slowest().detect_bound()
    }
}
