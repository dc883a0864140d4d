//! When the server hangs by itself, and how: a pure function of a seed.

use std::time::Duration;

use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};

use crate::fault::Fault;

/// Waits longer than this are cut short, which keeps every sum of times in range.
const LONGEST_WAIT: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// An endless sequence of hangs, exponentially distributed: at every moment the next one is as near as it ever was.
///
/// `ChaCha12` gives the same numbers on every platform and in every version of `rand`, which `StdRng` does not promise.
#[derive(Debug)]
pub struct Plan {
    rng: ChaCha12Rng,
    mean: Duration,
    faults: Vec<Fault>,
}

/// One entry of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hang {
    /// How long the server is healthy before it.
    pub after: Duration,
    /// What happens then.
    pub fault: Fault,
}

impl Plan {
    /// The plan that this seed stands for, with each of `faults` equally likely.
    pub fn new(seed: u64, mean: Duration, faults: Vec<Fault>) -> Self {
        Self { rng: ChaCha12Rng::seed_from_u64(seed), mean, faults }
    }
}

impl Iterator for Plan {
    type Item = Hang;

    /// The next hang; none if there is no fault to choose from.
    fn next(&mut self) -> Option<Hang> {
        // In (0, 1], so that the logarithm is finite.
        let uniform = 1.0 - self.rng.random::<f64>();
        let wait = Duration::try_from_secs_f64(-uniform.ln() * self.mean.as_secs_f64());
        // A number of whole bits, so that 32-bit and 64-bit machines draw alike.
        let choice = self.rng.random::<u32>() as usize;
        let fault = *self.faults.get(choice.checked_rem(self.faults.len())?)?;
        Some(Hang { after: wait.unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT), fault })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(seed: u64, mean: Duration) -> Plan {
        Plan::new(seed, mean, Fault::HANGS.to_vec())
    }

    #[test]
    fn the_same_seed_gives_the_same_sequence() {
        let minute = Duration::from_secs(60);
        assert!(plan(7, minute).take(100).eq(plan(7, minute).take(100)));
        assert!(plan(7, minute).take(100).ne(plan(8, minute).take(100)));
    }

    /// People write seeds down: a seed must mean the same in the next version.
    #[test]
    fn a_seed_means_the_same_for_ever() {
        let hangs: Vec<String> = plan(7, Duration::from_secs(60))
            .take(3)
            .map(|hang| format!("{} after {:.3} s", hang.fault, hang.after.as_secs_f64()))
            .collect();
        assert_eq!(hangs, ["deadlock after 1.847 s", "deadlock after 3.759 s", "deadlock after 46.921 s"]);
    }

    #[test]
    fn the_mean_is_about_right() {
        let total: Duration = plan(1, Duration::from_secs(60)).take(10_000).map(|hang| hang.after).sum();
        // The mean of 10 000 draws is off by 1 % (one standard error); 5 % would be a bug, not bad luck.
        assert!((57.0..63.0).contains(&(total / 10_000).as_secs_f64()), "mean {:?}", total / 10_000);
    }

    #[test]
    fn every_fault_is_drawn_about_equally_often() {
        for fault in Fault::HANGS {
            let drawn =
                plan(1, Duration::from_secs(60)).take(10_000).filter(|hang| hang.fault == fault).count();
            assert!((2_300..2_700).contains(&drawn), "{fault}: {drawn} of 10000");
        }
    }

    #[test]
    fn an_endless_mean_does_not_overflow() {
        assert_eq!(plan(1, Duration::MAX).next().map(|hang| hang.after), Some(LONGEST_WAIT));
    }

    #[test]
    fn without_faults_there_is_no_plan() {
        assert_eq!(Plan::new(1, Duration::from_secs(1), Vec::new()).next(), None);
    }
}
