//! When unhealthy probes make a hang, and when to probe next.

use std::time::{Duration, Instant};

use crate::config::Timing;
use crate::probe::Outcome;

/// A probe that ends this much after its deadline, or half the deadline after it, was not held up by the service but by
/// us: nothing but this process's own lateness can make it that late.
const LATE: Duration = Duration::from_millis(50);

/// What one more outcome means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It serves.
    Healthy {
        /// The unhealthy probes that this ends; 0 mostly.
        after: u32,
    },
    /// It does not, but it is too early to call that a hang; or it does again, and it is too early to trust that.
    Doubtful,
    /// N in a row, or more.
    Hung,
    /// We were late: the outcome says nothing.
    Void,
}

/// Counts.
#[derive(Debug, Clone, Default)]
pub struct Detector {
    unhealthy: u32,
    healthy: u32,
    void: u32,
}

impl Detector {
    /// Unhealthy probes since the last row of healthy ones.
    pub fn failures(&self) -> u32 {
        self.unhealthy
    }

    /// Takes in an outcome that came `took` after the probe's start.
    pub fn judge(&mut self, timing: &Timing, outcome: &Outcome, took: Duration) -> Verdict {
        let late = timing.timeout + (timing.timeout / 2).max(LATE);
        match outcome {
            Outcome::Healthy => {
                self.void = 0;
                self.healthy = self.healthy.saturating_add(1);
                if self.unhealthy > 0 && self.healthy < timing.rise {
                    return Verdict::Doubtful;
                }
                Verdict::Healthy { after: std::mem::take(&mut self.unhealthy) }
            }
            // Not for ever: who is always late must act too.
            Outcome::Unhealthy(_) if took > late && self.void < timing.failures => {
                self.void += 1;
                Verdict::Void
            }
            Outcome::Unhealthy(_) => {
                self.healthy = 0;
                self.unhealthy = self.unhealthy.saturating_add(1);
                if self.unhealthy >= timing.failures { Verdict::Hung } else { Verdict::Doubtful }
            }
        }
    }

    /// When to probe next, after a probe that started at `started`. `dice` is a random number from 0 to 1.
    pub fn next(&self, timing: &Timing, verdict: Verdict, started: Instant, dice: f32) -> Instant {
        let Timing { interval, timeout, retry_interval, jitter, .. } = *timing;
        started
            + match verdict {
                Verdict::Healthy { .. } => {
                    let share = f32::from(jitter) / 100.0 * dice.clamp(0.0, 1.0);
                    interval.saturating_sub(interval.mul_f32(share))
                }
                Verdict::Doubtful | Verdict::Void => timeout + retry_interval,
                // It was called, and could not be ended: no hurry.
                Verdict::Hung => interval.max(timeout + retry_interval),
            }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::probe::{Cause, Reason};

    const MS: Duration = Duration::from_millis(1);

    fn timing(failures: u32, rise: u32) -> Timing {
        Timing { interval: 100 * MS, timeout: 60 * MS, failures, rise, jitter: 5, retry_interval: 10 * MS }
    }

    fn unhealthy() -> Outcome {
        Outcome::Unhealthy(Reason::new(Cause::Timeout, "no answer"))
    }

    /// `h` and `u` are outcomes in time, `U` is one that came too late; the verdicts as letters.
    fn verdicts(timing: &Timing, outcomes: &str) -> String {
        let mut detector = Detector::default();
        let verdict = |outcome| match outcome {
            'h' => detector.judge(timing, &Outcome::Healthy, 60 * MS),
            'u' => detector.judge(timing, &unhealthy(), 60 * MS),
            _ => detector.judge(timing, &unhealthy(), 111 * MS),
        };
        let letter = |verdict| match verdict {
            Verdict::Healthy { after } => char::from_digit(after.min(9), 10).expect("a digit"),
            Verdict::Doubtful => '?',
            Verdict::Hung => 'H',
            Verdict::Void => '-',
        };
        outcomes.chars().map(verdict).map(letter).collect()
    }

    #[test]
    fn n_unhealthy_probes_in_a_row_are_a_hang_and_one_healthy_ends_the_row() {
        for (failures, rise, outcomes, expected) in [
            (3, 1, "hhuuuu", "00??HH"),
            (3, 1, "uuhuuhuuu", "??2??2??H"),
            (1, 1, "hu", "0H"),
            (3, 2, "uuhu", "???H"),
            (3, 2, "uuhhuu", "???2??"),
            (3, 3, "uhhhhu", "???10?"),
            (3, 1, "uuuuh", "??HH4"),
        ] {
            assert_eq!(verdicts(&timing(failures, rise), outcomes), expected, "{outcomes}");
        }
    }

    #[test]
    fn a_probe_that_we_were_late_for_does_not_count_but_not_for_ever() {
        assert_eq!(verdicts(&timing(3, 1), "uuUu"), "??-H");
        assert_eq!(verdicts(&timing(3, 1), "UUUUUU"), "---??H");
        assert_eq!(verdicts(&timing(1, 1), "UhUU"), "-0-H");
    }

    #[test]
    fn the_next_probe_comes_an_interval_after_the_last_or_soon_after_the_deadline_of_an_unhealthy_one() {
        let (now, detector) = (Instant::now(), Detector::default());
        let next = |verdict, dice| detector.next(&timing(3, 1), verdict, now, dice) - now;
        assert_eq!(next(Verdict::Healthy { after: 0 }, 0.0), 100 * MS);
        assert_eq!(next(Verdict::Healthy { after: 0 }, 1.0).as_millis(), 95);
        assert_eq!(next(Verdict::Doubtful, 1.0), 70 * MS);
        assert_eq!(next(Verdict::Void, 1.0), 70 * MS);
        assert_eq!(next(Verdict::Hung, 1.0), 100 * MS);
    }

    proptest! {
        #[test]
        fn fewer_than_n_unhealthy_probes_are_never_a_hang(
            failures in 1_u32..6, rise in 1_u32..4, outcomes in "[huU]{0,40}",
        ) {
            let seen = verdicts(&timing(failures, rise), &outcomes);
            for (at, _) in seen.match_indices('H') {
                let unhealthy = outcomes[..=at].chars().filter(|&outcome| outcome != 'h').count();
                prop_assert!(unhealthy >= failures as usize, "{outcomes}: {seen}");
            }
        }
    }
}
