//! How soon a hang must be found.

use std::time::Duration;

/// What `sd-watchdog` derives from W where no option says otherwise (its `--help-all`: "Timing").
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// W: `WatchdogSec=`.
    pub watchdog: Duration,
    /// T: a probe's deadline, W/10.
    pub timeout: Duration,
    /// N: unhealthy probes in a row that make a hang.
    pub failures: u32,
    /// r: from an unhealthy probe to the next, W/100.
    pub retry: Duration,
    /// The hang report's budget, which comes before the trigger.
    pub report: Duration,
    /// `--pressure`: the share of the time from which on a unit counts as kept from running.
    pub pressure: f64,
}

/// No share of the time that a unit was kept from running makes the bound longer than this one does: fifty times.
const MOST: f64 = 0.98;

impl Timing {
    /// The defaults.
    pub fn of(watchdog: Duration) -> Self {
        Self {
            watchdog,
            timeout: watchdog / 10,
            failures: 3,
            retry: watchdog / 100,
            report: Duration::from_millis(500),
            pressure: 0.10,
        }
    }

    /// The longest from a hang to the word that it is one, of a unit that was kept from running for the share `kept` of
    /// that time:
    ///
    /// ```text
    /// (W/2 + N·T + (N−1)·r + report) / (1 − kept)
    /// ```
    ///
    /// - W/2: the longest from the hang to the first probe that can see it. Alone that is P = W/10; under pressure probes are
    ///   made less often, since they are load themselves, but a ping is due every W/2.
    /// - N·T + (N−1)·r: N probes that run into their deadlines, and the gaps between them.
    /// - the report's budget: it is made before the trigger.
    /// - 1 − kept: all of these count only the time in which the unit was able to run. In the wall's time each is as much
    ///   longer as the unit got less: kept from running for 80 % of the time, it is given five times as long.
    ///
    /// W = 5 s: 4.6 s for a unit that can run; 23 s at 80 %.
    pub fn detect_bound(&self, kept: f64) -> Duration {
        let timeouts = self.timeout * self.failures;
        let gaps = self.retry * self.failures.saturating_sub(1);
        let alone = self.watchdog / 2 + timeouts + gaps + self.report;
        alone.div_f64(1.0 - kept.clamp(0.0, MOST))
    }
}
