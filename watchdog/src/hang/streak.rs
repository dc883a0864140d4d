//! A row of unhealthy probes, from its first until it is over or a hang.

use std::time::{Duration, Instant};

use crate::hang::timing::Timing;

/// Counts what came since the service was last known to be healthy.
#[derive(Debug, Clone, Default)]
pub struct Streak {
    /// Unhealthy probes.
    failures: u32,
    /// Healthy ones in a row, at its end.
    healthy: u32,
    /// Healthy ones came between, too few to rise.
    interrupted: bool,
    /// When the first unhealthy probe was started.
    began: Option<Instant>,
    /// That it is a hang was said, and it goes on.
    is_said: bool,
}

impl Streak {
    /// An unhealthy probe, started at `started`, has ended. It counts as many times as it could have been sent meanwhile.
    pub fn unhealthy(&mut self, started: Instant, times: u32) {
        self.failures = self.failures.saturating_add(times);
        self.interrupted |= self.healthy > 0;
        self.healthy = 0;
        self.began.get_or_insert(started);
    }

    /// A healthy one has; whether the service is healthy now, with the failures of the row that is over.
    pub fn healthy(&mut self, timing: &Timing) -> Option<u32> {
        self.healthy = self.healthy.saturating_add(1);
        if self.failures > 0 && self.healthy < timing.rise {
            return None;
        }
        Some(std::mem::take(self).failures)
    }

    /// N failures, over [`Timing::shortest_spell`] at least, of which the service was `able` to run for so long.
    pub fn is_hang(&self, timing: &Timing, able: Duration) -> bool {
        self.failures >= timing.failures && able >= timing.shortest_spell()
    }

    /// When the first unhealthy probe of the row was started.
    pub fn began(&self) -> Option<Instant> {
        self.began
    }

    /// `3 probes in a row unhealthy`
    pub fn text(&self, timing: &Timing) -> String {
        let (failures, plural) = (self.failures, if self.failures == 1 { "" } else { "s" });
        if self.interrupted {
            format!("{failures} probe{plural} unhealthy, without {} healthy in a row", timing.rise)
        } else {
            format!("{failures} probe{plural} in a row unhealthy")
        }
    }

    /// Unhealthy probes so far.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// The hang that goes on was said to be one.
    pub fn is_said(&self) -> bool {
        self.is_said
    }

    /// True the first time.
    pub fn say(&mut self) -> bool {
        !std::mem::replace(&mut self.is_said, true)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// (N−1)·T + (N−2)·r: 130 ms with N = 3.
    fn timing(failures: u32, rise: u32) -> Timing {
        Timing { interval: 100 * MS, timeout: 60 * MS, failures, rise, jitter: 5, retry_interval: 10 * MS }
    }

    /// `h`, `u` and `r` are healthy, run into their deadlines, and refused at once. What each means as a letter: the
    /// failures of the row that it ends, `?` for too early to tell, `H` for a hang.
    fn meanings(timing: &Timing, outcomes: &str) -> String {
        let (mut streak, mut now) = (Streak::default(), Instant::now());
        let meaning = |outcome| {
            let started = now;
            now += if outcome == 'u' { timing.timeout } else { Duration::ZERO };
            let meaning = if outcome == 'h' {
                streak.healthy(timing).map(|failures| char::from_digit(failures.min(9), 10).expect("a digit"))
            } else {
                streak.unhealthy(started, 1);
                streak.is_hang(timing, now - streak.began().expect("a row")).then_some('H')
            };
            now += timing.retry_interval;
            meaning.unwrap_or('?')
        };
        outcomes.chars().map(meaning).collect()
    }

    #[test]
    fn n_unhealthy_probes_in_a_row_are_a_hang_and_as_many_healthy_as_it_takes_to_rise_end_the_row() {
        for (failures, rise, outcomes, expected) in [
            (3, 1, "hhuuuu", "00??HH"),
            (3, 1, "uuhuuhuuu", "??2??2??H"),
            (1, 1, "hu", "0H"),
            (3, 2, "uuhu", "???H"),
            (3, 2, "uuhhuu", "???2??"),
            (3, 3, "uhhhhu", "???10?"),
            (3, 1, "uuuuh", "??HH4"),
        ] {
            assert_eq!(meanings(&timing(failures, rise), outcomes), expected, "{outcomes}");
        }
    }

    #[test]
    fn a_row_of_quick_failures_is_no_hang_before_it_has_lasted_as_long_as_one_of_deadlines() {
        assert_eq!(meanings(&timing(3, 1), "rrrrrrrrrrrrrrr"), "?????????????HH");
        assert_eq!(meanings(&timing(3, 1), "rrrrrrrrh"), "????????8");
    }

    proptest! {
        #[test]
        fn fewer_than_n_unhealthy_probes_are_never_a_hang(
            failures in 1_u32..6, rise in 1_u32..4, outcomes in "[hur]{0,40}",
        ) {
            let seen = meanings(&timing(failures, rise), &outcomes);
            for (at, _) in seen.match_indices('H') {
                let unhealthy = outcomes[..=at].chars().filter(|&outcome| outcome != 'h').count();
                prop_assert!(unhealthy >= failures as usize, "{outcomes}: {seen}");
            }
        }
    }
}
