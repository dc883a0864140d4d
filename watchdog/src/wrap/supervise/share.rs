//! How much of the loop's time those get who talk to it.

use std::time::{Duration, Instant};

/// Of each period …
const PERIOD: Duration = Duration::from_millis(20);
/// … one of them gets this much: a tenth of a processor. What COMMAND says waits behind what strangers do, as it would
/// at systemd, but not for long.
pub(super) const QUOTA: Duration = Duration::from_millis(2);

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
