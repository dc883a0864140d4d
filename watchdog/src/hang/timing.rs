//! The timing of probes, and the bounds that follow from it. Pure.

use std::time::{Duration, Instant};

use crate::words::span::Sum;

/// This process ran late if it came to look at a probe's deadline later than the larger of this and T/4.
const LATE: Duration = Duration::from_millis(20);
/// What stays of W for sending the trigger: a hang report ends this long before W does, or W/20 where that is less.
const MARGIN: Duration = Duration::from_millis(100);

/// When W is about to be over for a service that was `vouched` for last at that time.
pub fn last_call(vouched: Instant, watchdog: Duration) -> Instant {
    vouched + until_last_call(watchdog)
}

/// How long that is after it was vouched for.
pub fn until_last_call(watchdog: Duration) -> Duration {
    watchdog.saturating_sub(MARGIN.min(watchdog / 20))
}

/// When to probe, and what makes a hang.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// P: from the start of one probe to the start of the next.
    pub interval: Duration,
    /// By how many percent of itself each interval is shortened at most, at random.
    pub jitter: u8,
    /// T: the deadline of a probe.
    pub timeout: Duration,
    /// N: unhealthy probes in a row that make a hang.
    pub failures: u32,
    /// Healthy probes in a row that end a row of unhealthy ones.
    pub rise: u32,
    /// r: from the end of an unhealthy probe to the start of the next.
    pub retry_interval: Duration,
}

impl Timing {
    /// P = W/10, T = W/10, N = 3, r = W/100.
    pub fn for_watchdog(watchdog: Duration) -> Self {
        Self {
            interval: watchdog / 10,
            jitter: 5,
            timeout: watchdog / 10,
            failures: 3,
            rise: 1,
            retry_interval: watchdog / 100,
        }
    }

    /// The longest time from a hang to the decision that it is one: P + N·T + (N−1)·r.
    ///
    /// Timers have a resolution of 1 ms, and of those P + N·T + (N−1)·r are 2·N: expect up to 2·N ms more.
    pub fn detect_bound(&self) -> Duration {
        let timeouts = self.timeout.saturating_mul(self.failures);
        let retries = self.retry_interval.saturating_mul(self.failures.saturating_sub(1));
        self.interval.saturating_add(timeouts).saturating_add(retries)
    }

    /// How long a row of unhealthy probes lasts at least before it is a hang: (N−1)·T + (N−2)·r.
    ///
    /// Where every probe runs into its deadline, that is the time before the last of N. While a row is
    /// younger, probing goes on every r: the decision still falls within N·T + (N−1)·r, however quick the failures.
    ///
    /// A probe that fails at once (connection refused) is repeated after r all the same, so a return is soon seen; but
    /// a listener that is away for a moment, as in a reload, is not a hang for being asked quickly.
    pub fn shortest_spell(&self) -> Duration {
        let timeouts = self.timeout.saturating_mul(self.failures.saturating_sub(1));
        timeouts.saturating_add(self.retry_interval.saturating_mul(self.failures.saturating_sub(2)))
    }

    /// Whether an unhealthy probe says as much about this process as about the service: its end was seen so `late` after
    /// its deadline, by T/4 or 20 ms.
    pub fn is_too_late(&self, late: Duration) -> bool {
        late >= LATE.max(self.timeout / 4)
    }

    /// The longest time between two pings of a service that recovers just before it counts as hung: each failure can be
    /// followed by one healthy probe less than it takes to rise.
    pub(crate) fn longest_gap(&self) -> Sum {
        let (failures, rising) = (self.failures.into(), self.probes_to_rise());
        Sum::of(&[
            (1, self.interval),
            (failures, self.timeout),
            (failures.saturating_sub(1), self.retry_interval),
            (rising, self.timeout),
            (rising, self.retry_interval),
        ])
    }

    pub(crate) fn probes_to_rise(&self) -> u64 {
        u64::from(self.failures) * u64::from(self.rise.saturating_sub(1))
    }

    /// The longest time between two pings of a service of which one probe fails.
    pub(crate) fn gap_of_one_failure(&self) -> Sum {
        let rise = self.rise.into();
        Sum::of(&[(1, self.interval), (rise + 1, self.timeout), (rise, self.retry_interval)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn what_came_late_by_a_quarter_of_the_deadline_or_20_ms_is_too_late() {
        for (timeout, late, expected) in
            [(60, 19, false), (60, 20, true), (400, 99, false), (400, 100, true), (400, 0, false)]
        {
            let timing = Timing { timeout: timeout * MS, ..Timing::for_watchdog(1_000 * MS) };
            assert_eq!(timing.is_too_late(late * MS), expected, "{timeout} {late}");
        }
    }

    #[test]
    fn the_last_call_is_100_ms_before_w_or_a_twentieth_of_it() {
        let now = Instant::now();
        assert_eq!(last_call(now, 10_000 * MS) - now, 9_900 * MS);
        assert_eq!(last_call(now, 1_000 * MS) - now, 950 * MS);
    }
}
