//! When the service hangs by itself, and of what: so that there is something to see without a click.

use std::time::Duration;

use rand::rngs::ChaCha12Rng;
use rand::{RngExt as _, SeedableRng};

use crate::model::clock::Usec;

/// What it may be: each is found by the probe, and gone with the process. One that takes every CPU is not among them.
const FAULTS: [&str; 7] = ["mute", "deadlock", "accept-stall", "block-runtime", "drip", "error", "fd-leak"];

/// From the end of one to the next, at least and at most.
const PAUSE: [f64; 2] = [20.0, 60.0];

/// For so long after a visitor has done something it is the visitor's turn.
const POLITE: Duration = Duration::from_secs(60);

/// Draws the next hang.
pub struct Schedule {
    random: ChaCha12Rng,
    next: (Usec, &'static str),
}

impl Schedule {
    /// The hangs that a seed makes.
    pub fn new(seed: u64, now: Usec) -> Self {
        let mut schedule = Self { random: ChaCha12Rng::seed_from_u64(seed), next: (now, "") };
        schedule.draw(now);
        schedule
    }

    /// The next one: when, and of what.
    pub const fn next(&self) -> (Usec, &'static str) {
        self.next
    }

    /// What happened until now is over.
    pub fn over(&mut self, now: Usec) {
        self.draw(now);
    }

    /// A visitor has done something.
    pub fn visited(&mut self, now: Usec) {
        self.next.0 = self.next.0.max(now + POLITE);
    }

    fn draw(&mut self, now: Usec) {
        let [least, most] = PAUSE;
        let pause = Duration::from_secs_f64(self.random.random_range(least..most));
        let fault = FAULTS[self.random.random_range(0..FAULTS.len())];
        // Whoever has asked for a minute has it.
        self.next = ((now + pause).max(self.next.0), fault);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Fault;
    use crate::model::expect::Deed;

    fn hangs(seed: u64) -> Vec<(u64, &'static str)> {
        let mut schedule = Schedule::new(seed, Usec(0));
        let mut now = Usec(0);
        std::iter::repeat_with(|| {
            let (at, fault) = schedule.next();
            let pause = (at - now, fault);
            now = at;
            schedule.over(now);
            (u64::try_from(pause.0.as_millis()).expect("it is short"), pause.1)
        })
        .take(200)
        .collect()
    }

    #[test]
    fn a_seed_has_the_same_hangs_again_and_each_is_20_to_60_s_after_the_one_before() {
        let first = hangs(7);
        assert_eq!(first, hangs(7));
        assert_ne!(first, hangs(8));
        assert!(first.iter().all(|(pause, _)| (20_000..60_000).contains(pause)), "{first:?}");
        for fault in FAULTS {
            assert!(first.iter().any(|(_, drawn)| *drawn == fault), "{fault} is never drawn");
        }
    }

    #[test]
    fn for_a_minute_after_a_visitors_deed_nothing_hangs_by_itself() {
        let mut schedule = Schedule::new(7, Usec(0));
        let deed = Usec(0) + Duration::from_secs(19);
        schedule.visited(deed);
        assert!(schedule.next().0 >= deed + POLITE);
        // Nor where what was done is over before.
        schedule.over(deed + Duration::from_secs(3));
        assert!(schedule.next().0 >= deed + POLITE, "{:?}", schedule.next());
    }

    #[test]
    fn what_hangs_by_itself_needs_nothing_and_is_found_by_a_probe() {
        for name in FAULTS {
            let fault = name.parse::<Fault>().expect("it is in the catalogue");
            assert!(fault.is_in_process() && fault.deed() == Deed::Hangs, "{name}");
        }
    }
}
