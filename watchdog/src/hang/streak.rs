//! A row of unhealthy probes, from its first until it is over or a hang.

use std::time::{Duration, Instant};

use crate::hang::timing::Timing;
use crate::kernel::starvation::Pressure;
use crate::words::outcome::Reason;
use crate::words::span::rounded;

/// Counts what came since the service was last known to be healthy.
#[derive(Debug, Clone, Default)]
pub struct Spell {
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
    pub fn unhealthy(&mut self, started: Instant) {
        self.failures = self.failures.saturating_add(1);
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

    /// N failures, over [`Timing::shortest_spell`] at least.
    pub fn is_hang(&self, timing: &Timing, now: Instant) -> bool {
        self.failures >= timing.failures && self.lasted(now) >= timing.shortest_spell()
    }

    /// Since the first unhealthy probe was started.
    pub fn lasted(&self, now: Instant) -> Duration {
        self.began.map_or(Duration::ZERO, |began| now - began)
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

    /// One more probe, with a deadline of all that is `left`, where the pressure is at the `limit` or above: once, and only
    /// if that is more than the others had.
    pub fn widen(
        &mut self,
        timing: &Timing,
        pressure: Option<Pressure>,
        limit: Option<u8>,
        left: Duration,
    ) -> Option<(Pressure, Duration)> {
        let pressure = pressure.filter(|pressure| limit.is_some_and(|limit| pressure.percent >= limit))?;
        // Whole milliseconds, since people read it in the reason.
        let timeout = Duration::from_millis(u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
        let is_first = timeout > timing.timeout && !std::mem::replace(&mut self.widened, true);
        is_first.then_some((pressure, timeout))
    }

    /// `3 probes in a row unhealthy: … no answer in 1 s; but 62 % of the time it waited for CPU, so one more gets 4.3 s`
    pub fn widened_text(
        &self,
        timing: &Timing,
        reason: &Reason,
        pressure: Pressure,
        timeout: Duration,
    ) -> String {
        let Pressure { percent, resource } = pressure;
        let (row, timeout) = (self.text(timing), rounded(timeout));
        format!(
            "{row}: {reason}; but {percent} % of the time it waited for {resource}, so one more gets {timeout}"
        )
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
    use crate::words::outcome::Cause;

    const MS: Duration = Duration::from_millis(1);

    /// (N−1)·T + (N−2)·r: 130 ms with N = 3.
    fn timing(failures: u32, rise: u32) -> Timing {
        Timing { interval: 100 * MS, timeout: 60 * MS, failures, rise, jitter: 5, retry_interval: 10 * MS }
    }

    /// `h`, `u` and `r` are healthy, run into their deadlines, and refused at once. What each means as a letter: the
    /// failures of the row that it ends, `?` for too early to tell, `H` for a hang.
    fn meanings(timing: &Timing, outcomes: &str) -> String {
        let (mut spell, mut now) = (Spell::default(), Instant::now());
        let meaning = |outcome| {
            let started = now;
            now += if outcome == 'u' { timing.timeout } else { Duration::ZERO };
            let meaning = if outcome == 'h' {
                spell.healthy(timing).map(|failures| char::from_digit(failures.min(9), 10).expect("a digit"))
            } else {
                spell.unhealthy(started);
                spell.is_hang(timing, now).then_some('H')
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

    #[test]
    fn a_deadline_is_widened_once_for_pressure_at_the_limit_and_only_if_more_is_left() {
        let (timing, pressure) = (timing(3, 1), Pressure { resource: "CPU", percent: 40 });
        let mut spell = Spell::default();
        assert_eq!(spell.widen(&timing, None, Some(40), 900 * MS), None);
        assert_eq!(spell.widen(&timing, Some(pressure), None, 900 * MS), None);
        assert_eq!(spell.widen(&timing, Some(pressure), Some(41), 900 * MS), None);
        assert_eq!(spell.widen(&timing, Some(pressure), Some(40), 60 * MS), None);
        assert_eq!(spell.widen(&timing, Some(pressure), Some(40), 61 * MS), Some((pressure, 61 * MS)));
        assert_eq!(spell.widen(&timing, Some(pressure), Some(40), 900 * MS), None);
    }

    #[test]
    fn a_widened_deadline_is_said_with_what_it_is_for() {
        let mut spell = Spell::default();
        spell.unhealthy(Instant::now());
        let (reason, pressure) =
            (Reason::new(Cause::Timeout, "mute"), Pressure { resource: "CPU", percent: 62 });
        assert_eq!(
            spell.widened_text(&timing(3, 1), &reason, pressure, 431 * MS),
            "1 probe in a row unhealthy: mute; but 62 % of the time it waited for CPU, so one more gets 431 ms"
        );
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
