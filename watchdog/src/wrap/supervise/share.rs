//! How much of the loop's time those get who talk to it.

use std::time::{Duration, Instant};

/// Of each period …
const PERIOD: Duration = Duration::from_millis(20);
/// … one of them gets this much: a tenth of a processor. What COMMAND says waits behind what strangers do, as it would
/// at systemd, but not for long.
const QUOTA: Duration = Duration::from_millis(2);
/// As many datagrams, or queued signals, are taken at a time.
const HANDFUL: usize = 16;

/// The share of one of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Share {
    /// When the period began, and what was used of it.
    period: Option<(Instant, Duration)>,
    rests_until: Option<Instant>,
}

impl Share {
    /// It had the loop for that long. Where that uses up its share, it is not listened to for the rest of the period.
    pub fn charge(&mut self, from: Instant, to: Instant) {
        let current = self.period.filter(|(began, _)| from < *began + PERIOD);
        let (began, used) = current.unwrap_or((from, Duration::ZERO));
        let used = used + (to - from);
        self.period = Some((began, used));
        if used >= QUOTA {
            self.rest_until(began + PERIOD);
        }
    }

    /// It is not listened to before that.
    pub fn rest_until(&mut self, time: Instant) {
        self.rests_until = self.rests_until.max(Some(time));
    }

    /// Until when it is not listened to, where that is still to come.
    pub fn rests_until(&self, now: Instant) -> Option<Instant> {
        self.rests_until.filter(|until| now < *until)
    }
}

/// What one of them gets at a time.
#[derive(Debug)]
pub(super) struct Turn {
    began: Instant,
    taken: usize,
}

impl Turn {
    pub fn begin(now: Instant) -> Self {
        Self { began: now, taken: 0 }
    }

    pub fn began(&self) -> Instant {
        self.began
    }

    /// Something was taken, whatever it was.
    pub fn took_one(&mut self) {
        self.taken += 1;
    }

    /// Whether there is to be one more: of a handful, and as long as the quota is not used up. A datagram that carries
    /// descriptors takes longer than most.
    pub fn goes_on(&self, now: Instant) -> bool {
        self.taken == 0 || (self.taken < HANDFUL && now - self.began < QUOTA)
    }

    /// There may be more of it at once.
    pub fn is_full(&self) -> bool {
        self.taken == HANDFUL
    }

    /// Has it paid for.
    pub fn end(&self, share: &mut Share, now: Instant) {
        if self.taken > 0 {
            share.charge(self.began, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const US: Duration = Duration::from_micros(1);

    #[test]
    fn whoever_has_used_up_a_share_waits_for_the_next_period() {
        let start = Instant::now();
        let at = |micros| start + US * micros;
        for (turns, expected) in [
            (&[(0, 100)][..], None),
            (&[(0, 1_999)], None),
            (&[(0, 2_000)], Some(20_000)),
            (&[(0, 1_000), (5_000, 6_000)], Some(20_000)),
            // Another period.
            (&[(0, 1_999), (20_000, 20_001)], None),
            (&[(0, 1_999), (20_000, 22_000)], Some(40_000)),
            // Kept from running in between: what is over is not paid for.
            (&[(0, 500_000)], None),
        ] {
            let mut share = Share::default();
            for (from, to) in turns {
                assert_eq!(share.rests_until(at(*from)), None, "{turns:?}");
                share.charge(at(*from), at(*to));
            }
            let now = at(turns.last().expect("a turn").1);
            assert_eq!(share.rests_until(now), expected.map(at), "{turns:?}");
        }
    }

    #[test]
    fn a_rest_is_never_shortened() {
        let (start, mut share) = (Instant::now(), Share::default());
        share.rest_until(start + 100 * US);
        share.rest_until(start + 50 * US);
        assert_eq!(share.rests_until(start), Some(start + 100 * US));
        assert_eq!(share.rests_until(start + 100 * US), None);
    }

    #[test]
    fn a_turn_ends_with_a_handful_or_with_what_uses_up_the_quota() {
        let start = Instant::now();
        for (taken, micros, goes_on, is_full, is_paid_for) in [
            (0, 0, true, false, false),
            // Kept from running before anything was taken.
            (0, 5_000, true, false, false),
            (1, 1_999, true, false, false),
            (1, 2_000, false, false, true),
            (15, 100, true, false, false),
            (16, 100, false, true, false),
            (16, 5_000, false, true, true),
        ] {
            let (mut turn, mut share, now) = (Turn::begin(start), Share::default(), start + US * micros);
            for _ in 0..taken {
                turn.took_one();
            }
            assert_eq!((turn.goes_on(now), turn.is_full()), (goes_on, is_full), "{taken} in {micros} µs");
            turn.end(&mut share, now);
            assert_eq!(share.rests_until(now).is_some(), is_paid_for, "{taken} in {micros} µs");
        }
    }

    proptest! {
        /// Whoever talks without end gets a tenth of the time, and what one turn takes beyond that.
        #[test]
        fn nobody_gets_more_than_a_share(turns in prop::collection::vec(1_u32..1_500, 1..2_000)) {
            let start = Instant::now();
            let (mut share, mut now, mut used) = (Share::default(), start, Duration::ZERO);
            for turn in turns {
                now = share.rests_until(now).unwrap_or(now);
                let end = now + US * turn;
                share.charge(now, end);
                used += end - now;
                now = end;
            }
            let periods = u32::try_from((now - start).as_micros() / PERIOD.as_micros()).expect("few") + 1;
            prop_assert!(used <= (QUOTA + US * 1_500) * periods, "{used:?} of {:?}", now - start);
        }
    }
}
