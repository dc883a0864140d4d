//! What the end of a probe means for a service that is watched: the same in front of it and beside it. Pure.
//!
//! One thing only counts against a service: a probe that was sent in time to a service that was able to run, and that it
//! did not answer.
//!
//! | the probe | counts | the next one |
//! |---|---|---|
//! | healthy | `--rise` of them in a row end a row of failures | after P; under pressure, after three times what this one took |
//! | could not be made | no | after r |
//! | unhealthy, and this process came late to see its end | no; beside a service, only the first N in a row do not | at once |
//! | unhealthy | one failure; under pressure, one for each T in which the service was able to run | after r |
//!
//! N failures, over as much time as N deadlines take, are a hang. Deadlines and that time are *able* time: see
//! [`stalls`](crate::kernel::stalls).

use std::time::{Duration, Instant};

use super::streak::Streak;
use super::timing::Timing;
use crate::kernel::stalls::{Limit, Measured, Pressure};
use crate::words::outcome::{Outcome, Reason};

/// Under pressure, probes are at most one question in four of those that the service can answer.
const BREATH: u32 = 3;
/// … but it is left in peace for no more than so many P: 3 W, by default.
const MOST_BREATH: u32 = 30;

/// How a probe ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// What it found.
    pub outcome: Outcome,
    /// How long after its deadline this process came to look: it was itself kept from running.
    pub late: Duration,
    /// For how long the service was able to run since the probe was sent …
    pub able: Duration,
    /// … and since the row of failures began, if one had.
    pub row: Duration,
    /// What keeps the service from running, where that is `--pressure` or more.
    pub pressure: Option<Pressure>,
}

impl Ended {
    /// One that could take as long as `limit` says.
    pub fn new(outcome: Outcome, limit: Limit, measured: Measured) -> Self {
        let Measured { able, row, pressure, late } = measured;
        let late = match (&outcome, pressure) {
            // Under pressure the question stood for so long that nothing hangs on when exactly we came to look.
            (Outcome::Healthy, _) | (Outcome::Unhealthy(_), Some(_)) => Duration::ZERO,
            // A question may have stood for longer on purpose, under a pressure that is over.
            (Outcome::Unhealthy(_), None) => late.unwrap_or_else(|| able.saturating_sub(limit.timeout)),
        };
        Self { outcome, late, able, row, pressure }
    }
}

/// What follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// The service is healthy.
    Healthy {
        /// The failures of the row that this ended.
        failures: u32,
    },
    /// It answers, too few times in a row as yet to end a row of failures.
    Rising,
    /// The probe could not be made: nothing is known of the service.
    CannotProbe {
        /// Why not.
        reason: Reason,
        /// The one before could.
        is_new: bool,
    },
    /// This process ran late: nothing is known of the service.
    Late {
        /// By how much.
        late: Duration,
    },
    /// A failure, of too few to make a hang.
    Failure {
        /// In what way.
        reason: Reason,
        /// It begins a row.
        is_first: bool,
    },
    /// It hangs.
    Hang {
        /// The last failure.
        reason: Reason,
    },
}

/// What is known of a service that is watched.
#[derive(Debug, Clone)]
pub struct Watch {
    timing: Timing,
    /// So many late probes in a row do not count, and those after them do; [`None`]: none ever does.
    late_limit: Option<u32>,
    streak: Streak,
    late_in_a_row: u32,
    cannot_probe: bool,
}

impl Watch {
    /// Of a service in front of which this process stands: systemd's own timer is the net below what cannot be judged.
    pub fn in_front(timing: Timing) -> Self {
        Self { timing, late_limit: None, streak: Streak::default(), late_in_a_row: 0, cannot_probe: false }
    }

    /// Of a service that this process stands beside: there is no other timer, so who comes late N times in a row counts what
    /// it sees.
    pub fn beside(timing: Timing) -> Self {
        Self { late_limit: Some(timing.failures), ..Self::in_front(timing) }
    }

    /// Begins anew, with another life of the service.
    pub fn forget(&mut self) {
        self.streak = Streak::default();
        (self.late_in_a_row, self.cannot_probe) = (0, false);
    }

    /// Failures since the service was last healthy.
    pub fn failures(&self) -> u32 {
        self.streak.failures()
    }

    /// When the first probe of the row of failures was sent, if there is one.
    pub fn row_began(&self) -> Option<Instant> {
        self.streak.began()
    }

    /// `3 probes in a row unhealthy`
    pub fn row(&self) -> String {
        self.streak.text(&self.timing)
    }

    /// The last probe could not be made.
    pub fn cannot_probe(&self) -> bool {
        self.cannot_probe
    }

    /// The hang that goes on was called one already.
    pub fn is_called(&self) -> bool {
        self.streak.is_said()
    }

    /// Calls it a hang. True the first time in a row.
    pub fn call(&mut self) -> bool {
        self.streak.say()
    }

    /// How long the next probe may take.
    pub fn limit(&self) -> Limit {
        let left = self.timing.failures.saturating_sub(self.streak.failures()).max(1);
        Limit { timeout: self.timing.timeout, under_pressure: self.timing.timeout.saturating_mul(left) }
    }

    /// A probe that was sent at `started` has ended: what that means, and when to send the next. `dice`, from 0 to 1,
    /// decides about jitter.
    pub fn ended(&mut self, ended: Ended, started: Instant, dice: f64, now: Instant) -> (Ruling, Instant) {
        let Ended { outcome, late, able, row, pressure } = ended;
        let again = now + self.timing.retry_interval;
        let Outcome::Unhealthy(reason) = outcome else {
            return match self.answered() {
                Some(failures) => {
                    (Ruling::Healthy { failures }, self.after_interval(started, pressure, dice, now))
                }
                None => (Ruling::Rising, again),
            };
        };
        if reason.is_ours() {
            let is_new = self.could_not_probe();
            return (Ruling::CannotProbe { reason, is_new }, again);
        }
        self.cannot_probe = false;
        let is_late = self.timing.is_too_late(late);
        if is_late && self.late_limit.is_none_or(|limit| self.late_in_a_row < limit) {
            self.late_in_a_row = self.late_in_a_row.saturating_add(1);
            return (Ruling::Late { late }, now);
        }
        if !is_late {
            self.late_in_a_row = 0;
        }
        let is_first = self.streak.failures() == 0;
        self.streak.unhealthy(started, self.times(able, pressure));
        if self.streak.is_hang(&self.timing, row) {
            (Ruling::Hang { reason }, again)
        } else {
            (Ruling::Failure { reason, is_first }, again)
        }
    }

    /// A probe could not be made. True the first time in a row.
    pub fn could_not_probe(&mut self) -> bool {
        !std::mem::replace(&mut self.cannot_probe, true)
    }

    /// A probe is healthy: the failures of the row that is over, if it is.
    pub fn answered(&mut self) -> Option<u32> {
        (self.late_in_a_row, self.cannot_probe) = (0, false);
        self.streak.healthy(&self.timing)
    }

    /// The service says itself, or shows by its silence, that it hangs: no row is needed.
    pub fn condemn(&mut self, started: Instant) {
        self.streak.unhealthy(started, 1);
    }

    /// How often a question could have been asked while one stood.
    fn times(&self, able: Duration, pressure: Option<Pressure>) -> u32 {
        if pressure.is_none() {
            return 1;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to N")]
        let times =
            able.div_duration_f64(self.timing.timeout).round().min(f64::from(self.timing.failures)) as u32;
        times.max(1)
    }

    /// When the next probe is due after a healthy one.
    pub fn after_interval(
        &self,
        started: Instant,
        pressure: Option<Pressure>,
        dice: f64,
        now: Instant,
    ) -> Instant {
        let jitter = f64::from(self.timing.jitter) / 100.0 * dice.clamp(0.0, 1.0);
        let due = started + self.timing.interval.mul_f64(1.0 - jitter);
        let most = self.timing.interval.saturating_mul(MOST_BREATH);
        let breath = pressure.map_or(Duration::ZERO, |_| ((now - started) * BREATH).min(most));
        due.max(now + breath)
    }

    /// When to probe again after a hang about which nothing is done.
    pub fn without_hurry(&self, started: Instant, now: Instant) -> Instant {
        let gap = self.timing.interval.max(self.timing.timeout + self.timing.retry_interval);
        (started + gap).max(now)
    }
}

#[cfg(test)]
mod tests;
