//! When asks are due: at times fixed beforehand, whatever becomes of those before.

use std::time::Duration;

use crate::model::clock::Usec;

/// Asks at one distance from each other.
pub struct Schedule {
    next: Usec,
    interval: Duration,
}

impl Schedule {
    /// From `begin` on, every `interval`.
    pub fn new(begin: Usec, interval: Duration) -> Self {
        Self { next: begin, interval: interval.max(Duration::from_micros(1)) }
    }

    /// When the next ask is due.
    pub fn due(&self) -> Usec {
        self.next
    }

    /// It has been asked. What became due meanwhile is left out: asked all at once it would be a burst, which says nothing of the
    /// time that was missed.
    pub fn asked(&mut self, now: Usec) {
        let interval = u64::try_from(self.interval.as_micros()).unwrap_or(u64::MAX);
        let missed = now.0.saturating_sub(self.next.0) / interval;
        self.next = Usec(self.next.0.saturating_add(interval.saturating_mul(missed.saturating_add(1))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_stay_at_their_times_however_late_one_is() {
        let mut schedule = Schedule::new(Usec(100), Duration::from_micros(10));
        for (asked, next) in [(100, 110), (114, 120), (129, 130), (130, 140), (175, 180), (400, 410)] {
            schedule.asked(Usec(asked));
            assert_eq!(schedule.due(), Usec(next), "asked at {asked}");
        }
    }

    #[test]
    fn an_interval_longer_than_time_is_no_overflow() {
        let mut schedule = Schedule::new(Usec(100), Duration::MAX);
        schedule.asked(Usec(u64::MAX));
        assert_eq!(schedule.due(), Usec(u64::MAX));
    }
}
